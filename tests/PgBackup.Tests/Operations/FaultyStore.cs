using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using PgBackup.Storage;
using PgBackup.Storage.Local;

namespace PgBackup.Tests.Operations;

/// <summary>
/// A local store at whose edge things go wrong: it fails, blocks, lies, counts, and dies. Calls are texts such as <c>put ID/name</c>,
/// <c>delete ID/name</c>, <c>delete-folder ID</c>, <c>open ID/name</c>, <c>find ID/name</c>, <c>list</c>, <c>list ID</c>, <c>sweep</c>,
/// <c>lock</c>.
/// </summary>
internal sealed class FaultyStore(LocalStore inner, TestClock clock) : IObjectStore
{
    private readonly Lock counting = new();
    private readonly List<string> calls = [];
    private int writes;

    /// <summary>Asked before each call: what it throws, or null.</summary>
    public Func<string, Exception?> Fail { get; set; } = static _ => null;

    /// <summary>Awaited before each call.</summary>
    public Func<string, CancellationToken, Task> Block { get; set; } = static (_, _) => Task.CompletedTask;

    /// <summary>The bytes that reading an object gives, instead of its own.</summary>
    public Func<string, byte[], byte[]>? Lie { get; set; }

    /// <summary>What reading an object is read through.</summary>
    public Func<string, Stream, Stream> Through { get; set; } = static (_, content) => content;

    /// <summary>The write (from 1) at which the process is killed: then and afterwards every call throws.</summary>
    public int DiesAt { get; set; } = int.MaxValue;

    /// <summary>That write was half done.</summary>
    public bool Halfway { get; set; }

    /// <summary>A folder that cannot be looked into.</summary>
    public string? Hide { get; set; }

    /// <summary>How far its clock is ahead.</summary>
    public TimeSpan ClockIsAhead { get; set; }

    /// <summary>Until when an object is locked.</summary>
    public Func<string, DateTimeOffset?> LockedUntil { get; set; } = static _ => null;

    /// <summary>Until when each object that was put was to be locked.</summary>
    public ConcurrentDictionary<string, DateTimeOffset?> Locks { get; } = new(StringComparer.Ordinal);

    /// <summary>Another run takes the lock over.</summary>
    public bool LosesLock { get; set; }

    /// <summary>The call in which it was killed; null while it lives.</summary>
    public string? KilledIn { get; private set; }

    public bool IsDead => KilledIn is not null;

    public int Writes => writes;

    public string Name => inner.Name;

    public string Location => inner.Location;

    public IReadOnlyList<string> Calls
    {
        get
        {
            lock (counting)
            {
                return [.. calls];
            }
        }
    }

    /// <summary>The objects that were put, in this order.</summary>
    public IEnumerable<string> Puts => Calls.Where(static c => c.StartsWith("put ", StringComparison.Ordinal)).Select(static c => c[4..]);

    public Task CheckWritableAsync(CancellationToken cancel) => CallAsync("check", () => inner.CheckWritableAsync(cancel), cancel);

    public Task<long> PutAsync(string key, Stream content, DateTimeOffset? lockedUntil, CancellationToken cancel) =>
        WriteAsync(
            $"put {key}",
            async half =>
            {
                string path = Path.Combine(Location, key);
                if (half)
                {
                    Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                    string partial = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.partial");
                    byte[] first = new byte[100];
                    await File.WriteAllBytesAsync(partial, first[..await content.ReadAsync(first, cancel)], cancel);
                    File.SetLastWriteTimeUtc(partial, clock.Now.UtcDateTime);
                    return 0;
                }

                long size = await inner.PutAsync(key, content, lockedUntil, cancel);
                Locks[key] = lockedUntil;
                File.SetLastWriteTimeUtc(path, clock.Now.UtcDateTime);
                return size;
            },
            cancel
        );

    public Task<Stream?> TryOpenAsync(string key, CancellationToken cancel) =>
        CallAsync<Stream?>(
            $"open {key}",
            async () =>
                await inner.TryOpenAsync(key, cancel) is not { } content ? null
                : Lie is null ? Through(key, content)
                : new MemoryStream(Lie(key, await AllOfAsync(content))),
            cancel
        );

    public async IAsyncEnumerable<StoredObject> ListAsync(string folder, [EnumeratorCancellation] CancellationToken cancel)
    {
        List<StoredObject> found = await CallAsync(
            $"list {folder}".TrimEnd(),
            async () =>
            {
                List<StoredObject> all = [];
                await foreach (StoredObject one in inner.ListAsync(folder, cancel))
                {
                    if (Hide is null || !one.Key.StartsWith(Hide, StringComparison.Ordinal))
                    {
                        all.Add(one with { Modified = one.Modified + ClockIsAhead });
                    }
                }

                if (Hide is not null && folder.Length == 0)
                {
                    all.Add(
                        new StoredObject
                        {
                            Key = Hide,
                            Size = 0,
                            Modified = clock.Now,
                            Unreadable = $"the folder {Hide} cannot be looked into: Permission denied",
                        }
                    );
                }

                return all;
            },
            cancel
        );
        foreach (StoredObject one in found)
        {
            yield return one;
        }
    }

    public Task<StoredObject?> FindAsync(string key, CancellationToken cancel) =>
        CallAsync(
            $"find {key}",
            async () =>
                await inner.FindAsync(key, cancel) is { } found
                    ? found with
                    {
                        Modified = found.Modified + ClockIsAhead,
                        LockedUntil = LockedUntil(key),
                    }
                    : null,
            cancel
        );

    public Task DeleteAsync(string key, CancellationToken cancel) =>
        WriteAsync(
            $"delete {key}",
            async half =>
            {
                if (!half)
                {
                    await inner.DeleteAsync(key, cancel);
                }

                return 0;
            },
            cancel
        );

    public Task DeleteFolderAsync(string folder, CancellationToken cancel) =>
        WriteAsync(
            $"delete-folder {folder}",
            async half =>
            {
                if (half)
                {
                    string[] files = Directory.GetFiles(Path.Combine(Location, folder));
                    foreach (string file in files.Take((files.Length + 1) / 2))
                    {
                        File.Delete(file);
                    }
                }
                else
                {
                    await inner.DeleteFolderAsync(folder, cancel);
                }

                return 0;
            },
            cancel
        );

    public Task<int> SweepAsync(DateTimeOffset olderThan, CancellationToken cancel) =>
        CallAsync("sweep", () => inner.SweepAsync(olderThan, cancel), cancel);

    public Task<IStoreLock> LockAsync(string holder, CancellationToken cancel) =>
        CallAsync<IStoreLock>("lock", async () => new FaultyLock(this, await inner.LockAsync(holder, cancel)), cancel);

    private async Task<T> WriteAsync<T>(string call, Func<bool, Task<T>> write, CancellationToken cancel)
    {
        bool dies = Interlocked.Increment(ref writes) == DiesAt && !IsDead;
        if (dies && Halfway)
        {
            await write(true);
        }

        KilledIn = dies ? call : KilledIn;
        return await CallAsync(call, () => write(false), cancel);
    }

    private Task CallAsync(string call, Func<Task> then, CancellationToken cancel) =>
        CallAsync(
            call,
            async () =>
            {
                await then();
                return 0;
            },
            cancel
        );

    private async Task<T> CallAsync<T>(string call, Func<Task<T>> then, CancellationToken cancel)
    {
        lock (counting)
        {
            calls.Add(call);
        }

        if (IsDead)
        {
            throw new KilledException();
        }

        await Block(call, cancel);
        return Fail(call) is { } failure ? throw failure : await then();
    }

    // The kernel takes the lock back from a process that was killed, so giving it back never fails.
    private sealed class FaultyLock(FaultyStore store, IStoreLock held) : IStoreLock
    {
        public string? Note => held.Note;

        public void RequireHeld()
        {
            if (store.IsDead)
            {
                throw new KilledException();
            }

            if (store.LosesLock)
            {
                throw new PgBackupException(ErrorCode.AlreadyRunning, "another run has taken the lock over.", "Wait for it to end.");
            }

            held.RequireHeld();
        }

        public ValueTask DisposeAsync() => held.DisposeAsync();
    }
}

/// <summary>The end of a process: nobody catches it to go on.</summary>
internal sealed class KilledException() : Exception("killed");
