using System.Runtime.CompilerServices;
using PgBackup.Host;

namespace PgBackup.Storage.Local;

/// <content>What is in the folder, and what interrupted writes left there.</content>
public sealed partial class LocalStore
{
    /// <inheritdoc/>
    /// <remarks>A link is listed as an object, so that it is seen; nothing can be read through it.</remarks>
    public async IAsyncEnumerable<StoredObject> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancel)
    {
        await Task.CompletedTask;
        List<StoredObject> found = [];
        Guard(() =>
        {
            if (!Directory.Exists(root))
            {
                RequireNothing(root);
            }

            using OpenFolder? top = OpenFolder.TryOpen(root);
            if (top is null)
            {
                throw new PgBackupException(
                    ErrorCode.StoreUnavailable,
                    $"the folder of the store {Name} ({root}) does not exist.",
                    "Mount its disk, or take a first backup, which makes the folder."
                );
            }

            if (folder.Length == 0)
            {
                List(top, "", deep: true, found, cancel);
                return;
            }

            using OpenFolder? start = Enter(folder + "/.", make: false);
            if (start is not null)
            {
                List(start, folder + "/", deep: false, found, cancel);
            }
        });
        foreach (StoredObject one in found)
        {
            yield return one;
        }
    }

    private static void List(OpenFolder folder, string prefix, bool deep, List<StoredObject> found, CancellationToken cancel)
    {
        foreach (string name in folder.Names().Where(static n => !n.StartsWith('.')))
        {
            cancel.ThrowIfCancellationRequested();
            if (folder.Look(name) is not { } facts)
            {
                continue; // it was renamed or removed since
            }

            if (!facts.IsFolder)
            {
                found.Add(Describe(prefix + name, facts));
            }
            else if (deep)
            {
                ListBelow(folder, prefix, name, facts, found, cancel);
            }
        }
    }

    // A folder that cannot be looked into is one finding, and no reason to go without the others.
    private static void ListBelow(
        OpenFolder folder,
        string prefix,
        string name,
        FileFacts facts,
        List<StoredObject> found,
        CancellationToken cancel
    )
    {
        int before = found.Count;
        try
        {
            using OpenFolder? below = folder.TryEnter(name);
            if (below is not null)
            {
                List(below, $"{prefix}{name}/", deep: true, found, cancel);
            }
        }
        catch (IOException e) when (e is not LinkException)
        {
            found.RemoveRange(before, found.Count - before);
            found.Add(
                Describe(prefix + name, facts) with
                {
                    Size = 0,
                    Unreadable = $"the folder {prefix}{name} cannot be looked into: {e.Message}",
                }
            );
        }
    }

    /// <inheritdoc/>
    public Task<int> SweepAsync(DateTimeOffset olderThan, CancellationToken cancel)
    {
        int removed = 0;
        Guard(() =>
        {
            using OpenFolder? top = OpenFolder.TryOpen(root);
            removed = top is null ? 0 : Sweep(top, olderThan, folders: true, cancel);
        });
        return Task.FromResult(removed);
    }

    private static int Sweep(OpenFolder folder, DateTimeOffset olderThan, bool folders, CancellationToken cancel)
    {
        int removed = 0;
        foreach (string name in folder.Names())
        {
            cancel.ThrowIfCancellationRequested();
            FileFacts? facts = folder.Look(name);
            if (facts is { IsFolder: true })
            {
                removed += SweepBelow(folder, name, olderThan, cancel);

                removed += folders && facts.Modified < olderThan && folder.RemoveEmpty(name) ? 1 : 0;
            }
            else if (
                facts is { IsRegular: true }
                && name.StartsWith('.')
                && name.EndsWith(".partial", StringComparison.Ordinal)
                && facts.Modified < olderThan
            )
            {
                removed += folder.Remove(name) ? 1 : 0;
            }
        }

        return removed;
    }

    // Listings report what cannot be read; nothing in it can be swept now.
    private static int SweepBelow(OpenFolder folder, string name, DateTimeOffset olderThan, CancellationToken cancel)
    {
        try
        {
            using OpenFolder? below = folder.TryEnter(name);
            return below is null ? 0 : Sweep(below, olderThan, folders: false, cancel);
        }
        catch (IOException e) when (e is not LinkException)
        {
            return 0;
        }
    }
}
