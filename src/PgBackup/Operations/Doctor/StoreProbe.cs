using System.Security.Cryptography;
using PgBackup.Configuration;
using PgBackup.Storage;

namespace PgBackup.Operations.Doctor;

/// <summary>
/// One object that a store takes, shows, gives back and removes, as a run, a restore and a prune need it. A step that failed does not keep
/// the others from being tried.
/// </summary>
internal sealed class StoreProbe
{
    /// <summary>The folder of all probes: no snapshot has such a name.</summary>
    public const string Folder = "doctor-probe";

    // What a doctor that was killed left.
    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    // An answer to HEAD has no code.
    private static readonly string[] Refusals = ["AccessDenied", "Forbidden", "HTTP status 403"];

    private readonly BackupStore backup;
    private readonly IObjectStore store;
    private readonly StoreConfig config;
    private readonly TimeProvider clock;
    private readonly byte[] content = RandomNumberGenerator.GetBytes(256);
    private readonly List<Finding> findings = [];

    /// <summary>Of a store. Nothing is asked of it yet.</summary>
    public StoreProbe(BackupStore backup, StoreConfig config, Sheet sheet, TimeProvider clock)
    {
        this.backup = backup;
        store = backup.Store;
        this.config = config;
        this.clock = clock;
        Sheet = sheet;
        Key = $"{Folder}/{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}";
    }

    /// <summary>The store's name.</summary>
    public string Name => store.Name;

    /// <summary>The object's key.</summary>
    public string Key { get; }

    /// <summary>Where it is written down.</summary>
    public Sheet Sheet { get; }

    /// <summary>There is no folder to write it into.</summary>
    public bool IsAbsent { get; private set; }

    /// <summary>The store took it.</summary>
    public bool IsWritten { get; private set; }

    /// <summary>A step did not end in time: the store is not asked again.</summary>
    public bool IsLost { get; set; }

    /// <summary>Writes it, and looks how the store says that it keeps it.</summary>
    public async Task PutAsync(CancellationToken cancel)
    {
        // The first run makes it. A look must not: an empty folder where a disk belongs looks like a store.
        if (config.Path is { } folder && !Path.Exists(folder))
        {
            findings.Add(
                config.MustExist
                    ? Finding.Error(
                        ErrorCode.StoreUnavailable,
                        Name,
                        $"the folder of {Name} ({folder}) does not exist",
                        "must_exist says that it is always there",
                        "Mount its disk, or make the folder"
                    )
                    : Finding.Warning(
                        ErrorCode.StoreUnavailable,
                        Name,
                        $"the folder of {Name} ({folder}) does not exist",
                        fix: "If its disk is not mounted, mount it. Else the first run makes the folder"
                    )
            );
            IsAbsent = true;
            return;
        }

        Sheet.Doing = "writing an object";
        DateTimeOffset asked = clock.GetUtcNow();
        long start = clock.GetTimestamp();
        IsWritten = await TryAsync(
            "s3:PutObject",
            async () =>
            {
                using var bytes = new MemoryStream(content);
                await store.PutAsync(Key, bytes, null, cancel);
            },
            cancel
        );
        if (!IsWritten)
        {
            return;
        }

        Sheet.Doing = "looking for the object";
        TimeSpan answer = clock.GetElapsedTime(start);
        await TryAsync(
            "s3:GetObject",
            async () =>
            {
                if (await store.FindAsync(Key, cancel) is not { } found)
                {
                    findings.Add(Unsound("took an object, and does not have it"));
                    return;
                }

                // Some stores know no fractions of a second.
                Sheet.Read(ClockReading.Of($"the store {Name}", found.Modified, asked.AddSeconds(-1), answer + TimeSpan.FromSeconds(1)));
                Judge(found);
            },
            cancel
        );
    }

    /// <summary>Finds it in a listing, with what other stores wrote if they are the same place, and reads it back.</summary>
    /// <param name="written">The keys of all probes, each with the name of its store.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task ReadAsync(IReadOnlyDictionary<string, string> written, CancellationToken cancel)
    {
        if (IsAbsent)
        {
            return;
        }

        Sheet.Doing = "listing a folder";
        List<StoredObject> listed = [];
        bool isListed = await TryAsync(
            "s3:ListBucket",
            async () =>
            {
                await foreach (StoredObject one in store.ListAsync(Folder, cancel))
                {
                    listed.Add(one);
                }
            },
            cancel
        );
        if (!IsWritten)
        {
            return;
        }

        if (isListed && listed.All(o => o.Key != Key))
        {
            findings.Add(Unsound("took an object, and does not list it"));
        }

        findings.AddRange(
            from one in listed
            where one.Key != Key && written.ContainsKey(one.Key)
            select Finding.Error(
                ErrorCode.StoresAreOne,
                Name,
                $"the stores {Name} and {written[one.Key]} are one and the same place: each has what the other was given",
                "a copy in the same place is no copy",
                "Give each store a folder, remote or prefix of its own"
            )
        );
        foreach (StoredObject left in listed.Where(o => !written.ContainsKey(o.Key) && o.Modified < clock.GetUtcNow() - Abandoned))
        {
            await TryAsync("s3:DeleteObject", () => store.DeleteAsync(left.Key, cancel), cancel);
        }

        Sheet.Doing = "reading an object";
        await TryAsync(
            "s3:GetObject",
            async () =>
            {
                byte[]? back = await store.TryReadBytesAsync(Key, content.Length * 2, cancel);
                if (back is null || !back.AsSpan().SequenceEqual(content))
                {
                    findings.Add(Unsound("gives back other bytes than it was given"));
                }
            },
            cancel
        );
    }

    // Not while the probe of another doctor is in it.
    private async Task RemoveFolderAsync(CancellationToken cancel)
    {
        await foreach (StoredObject _ in store.ListAsync(Folder, cancel))
        {
            return;
        }

        await store.DeleteFolderAsync(Folder, cancel);
    }

    /// <summary>Removes it, and asks what a run asks before it begins, where the config wants locks: whether the bucket has them.</summary>
    public async Task DeleteAsync(CancellationToken cancel)
    {
        if (IsWritten)
        {
            Sheet.Doing = "removing an object";
            try
            {
                await store.DeleteAsync(Key, cancel);
                if (await store.FindAsync(Key, cancel) is not null)
                {
                    findings.Add(Undeletable("it says that it removed an object, and still has it", null));
                    return;
                }

                await RemoveFolderAsync(cancel);
            }
            catch (PgBackupException e) when (!cancel.IsCancellationRequested)
            {
                findings.Add(Undeletable(e.Message, e.Remedy));
            }
        }

        // What it asks besides, the probe has shown; and its object is that of a run, which may begin at this moment.
        if (backup.HasObjectLock && findings.All(static f => f.Severity != Severity.Error))
        {
            Sheet.Doing = "asking whether the bucket has object lock";
            await TryAsync("s3:GetBucketObjectLockConfiguration", () => store.CheckWritableAsync(cancel), cancel);
        }
    }

    /// <summary>Writes down what was found.</summary>
    public void Finish(IReadOnlyList<Finding> others)
    {
        findings.AddRange(others);
        findings.AddRange(store.Notes.Select(n => Finding.Note(ErrorCode.StoreLimited, Name, n)));
        if (!IsLost || findings.Count > 0)
        {
            Sheet.Add($"{Name} ({store.Location}): an object was written, listed, read and removed", findings);
        }
    }

    private void Judge(StoredObject found)
    {
        if (config.S3 is { Encryption: { } asked } && found.ProviderEncryption is null)
        {
            findings.Add(
                Finding.Warning(
                    ErrorCode.StoreNotEncrypting,
                    Name,
                    $"the store {Name} was asked to encrypt (sse: {asked}), and does not say that it did",
                    null,
                    "Ask its operator, or leave out sse: and rely on encryption: gpg or age"
                )
            );
        }

        if (found.LockedUntil is { } until && until > clock.GetUtcNow() && !backup.HasObjectLock)
        {
            findings.Add(
                Finding.Warning(
                    ErrorCode.StoreUndeletable,
                    Name,
                    $"the store {Name} locks every object by a rule of its own, this one until {until:yyyy-MM-dd}",
                    "the config does not know, and what keep: removes still takes room there",
                    "Write object_lock: below s3: in the config, or take the default retention from the bucket"
                )
            );
        }
    }

    private async Task<bool> TryAsync(string right, Func<Task> step, CancellationToken cancel)
    {
        try
        {
            await step();
            return true;
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            Finding finding = Finding.Of(Severity.Error, Name, e);
            bool isRefused = config.S3 is not null && Refusals.Any(r => finding.What.Contains(r, StringComparison.Ordinal));
            // What was sent is looked at before it is believed in.
            string missing = finding.What.Contains("(looking for", StringComparison.Ordinal) ? "s3:GetObject" : right;
            finding = isRefused ? finding with { Fix = $"Allow {missing} in the policy of the key or bucket. {finding.Fix}" } : finding;
            // A store that is not there says so at every step.
            if (findings.All(f => f.What != finding.What || f.Fix != finding.Fix) && (IsWritten || findings.Count == 0 || isRefused))
            {
                findings.Add(finding);
            }

            return false;
        }
    }

    private Finding Unsound(string what) =>
        Finding.Error(
            ErrorCode.StoreUnsound,
            Name,
            $"the store {Name} ({store.Location}) {what}",
            null,
            "The store, or something before it (a cache, a proxy, a synchronisation), changes what it is given. Do not rely on it"
        );

    private Finding Undeletable(string why, string? remedy)
    {
        string what = $"the store {Name} takes objects, and does not remove them";
        string fix = config.S3 is not null
            ? $"Allow s3:DeleteObject in the policy of the key or bucket. What must not be emptied gets object_lock instead. {remedy}"
            : remedy ?? $"Look at the rights of {store.Location}";
        return Finding.Error(
            ErrorCode.StoreUndeletable,
            Name,
            what,
            $"a run ends before it begins, and prune removes nothing: {why}",
            fix.TrimEnd()
        );
    }
}
