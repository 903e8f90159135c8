using System.Text;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Keys;

/// <summary>
/// Whether the private keys are still there: canaries are written by runs, tests are made on demand and by drills, and both lie in the
/// folder <c>keys/</c> of every store. Nothing here stops a run or a drill: what cannot be read or written is a note.
/// </summary>
public sealed class KeysOperation(IReadOnlyList<IObjectStore> stores, TimeProvider clock)
{
    /// <summary>Decrypts the canary and a real part of a snapshot, and records in every store which key did.</summary>
    /// <param name="snapshot">An id, or <c>latest</c>.</param>
    /// <param name="from">The store to read.</param>
    /// <param name="cipherFor">The cipher for a snapshot, with the identity.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.Usage"/> when the snapshot has no keys; <see cref="ErrorCode.IdentityUnusable"/>;
    /// <see cref="ErrorCode.KeyTestFailed"/>; the error of a store, when the test could not be recorded anywhere.
    /// </exception>
    public async Task<KeyTestReport> TestAsync(string snapshot, IObjectStore from, Func<Manifest, ICipher> cipherFor, CancellationToken cancel)
    {
        (SnapshotId id, Manifest manifest) = await new Catalog(from).FindAsync(snapshot, cancel);
        if (manifest.Recipients.Count == 0)
        {
            throw NoKeys($"the snapshot {id} is {HowEncrypted(manifest.Encryption)}");
        }

        ICipher cipher = cipherFor(manifest);
        KeyTrial trial;
        IReadOnlyList<Recipient> worked;
        try
        {
            trial = new KeyTrial(from, id, manifest, cipher);
            worked = await trial.RunAsync(clock.GetUtcNow(), cancel);
        }
        finally
        {
            if (cipher is IAsyncDisposable disposable)
            {
                await disposable.DisposeAsync();
            }
        }

        if (worked.Count == 0)
        {
            throw new PgBackupException(
                ErrorCode.KeyTestFailed,
                $"{trial.Part.Object} was decrypted, but it cannot be told by whose key (one of a plugin's?): no test was recorded.",
                $"Its recipients are {string.Join(", ", manifest.Recipients.Select(static r => KeyWarnings.Short(r.Fingerprint)))}. Test with a key that lies in a file.");
        }

        IReadOnlyList<KeyTest> tests = Tests(worked, manifest, from, KeyTest.ByKeysTest);
        (IReadOnlyList<string> recorded, PgBackupException? lost, IReadOnlyList<string> problems) = await RecordAsync(tests, cancel);
        if (recorded.Count == 0 && lost is not null)
        {
            throw lost;
        }

        KeysSurvey survey = await KeysSurvey.OfAsync(stores, clock.GetUtcNow(), cancel);
        return new KeyTestReport
        {
            Snapshot = id.ToString(),
            Store = from.Name,
            Location = from.Location,
            Canary = trial.HadCanary,
            Part = trial.Part.Object,
            Bytes = trial.Part.PlainSize,
            Tests = tests,
            RecordedIn = recorded,
            Warnings = [.. problems, .. survey.Problems, .. Warnings(manifest.Recipients, survey)],
        };
    }

    /// <summary>Finds out on a small part of a snapshot whether an identity decrypts it, before anything else is done. Nothing is recorded.</summary>
    /// <param name="snapshot">An id, or <c>latest</c>.</param>
    /// <param name="from">The store to read.</param>
    /// <param name="cipherFor">The cipher for a snapshot, with the identity.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.IdentityUnusable"/>: it does not; <see cref="ErrorCode.KeyTestFailed"/> or the error of a store, where that cannot be told.
    /// </exception>
    public static async Task RequireIdentityAsync(string snapshot, IObjectStore from, Func<Manifest, ICipher> cipherFor, CancellationToken cancel)
    {
        (SnapshotId id, Manifest manifest) = await new Catalog(from).FindAsync(snapshot, cancel);
        ICipher cipher = cipherFor(manifest);
        try
        {
            await new KeyTrial(from, id, manifest, cipher).DecryptPartAsync(cancel);
        }
        finally
        {
            if (cipher is IAsyncDisposable disposable)
            {
                await disposable.DisposeAsync();
            }
        }
    }

    /// <summary>The recipients of the config, of the newest complete snapshot, and of all older ones, with their tests.</summary>
    /// <param name="configured">The cipher of the config.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> when there are no keys; the error of the stores, when none can be read.</exception>
    public async Task<KeysReport> ListAsync(ICipher configured, CancellationToken cancel)
    {
        KeysSurvey survey = await KeysSurvey.OfAsync(stores, clock.GetUtcNow(), cancel);
        List<string> warnings = [.. survey.Problems];
        Manifest? newest = await NewestAsync(warnings, cancel);
        IReadOnlyList<Recipient>? inConfig = await RecipientsAsync(configured, warnings, cancel);
        IReadOnlyList<Recipient> current = inConfig ?? newest?.Recipients ?? [];
        IReadOnlyList<Recipient> inSnapshot = newest?.Recipients ?? [];
        KeyHistory history = await KeyHistory.OfAsync(stores, warnings, cancel);
        List<Recipient> all = [.. current.Concat(inSnapshot).Concat(history.Recipients).DistinctBy(static r => KeysFolder.NameOf(r.Fingerprint))];
        if (all.Count == 0)
        {
            throw warnings.Count > 0
                ? new PgBackupException(ErrorCode.RecipientUnusable, $"it is not known whose keys there are: {string.Join("; ", warnings)}")
                : NoKeys(newest is null ? $"the config says {configured.Kind}, and there is no snapshot yet" : $"the newest snapshot {newest.Id} is {HowEncrypted(newest.Encryption)}");
        }

        warnings.AddRange(Warnings(current, survey));
        if (newest is not null && current.Count > 1 && inSnapshot.Count == 1)
        {
            warnings.Add(KeyWarnings.OneKey($"the newest snapshot {newest.Id} is ", inSnapshot[0]));
        }

        if (inConfig is not null && history.SnapshotsWithout(inConfig) is { Count: > 0 } retired)
        {
            warnings.Add(KeyWarnings.Retired(retired));
        }

        List<KeyState> keys = [];
        foreach (Recipient recipient in all)
        {
            IReadOnlyList<string> snapshots = history.SnapshotsOf(recipient);
            keys.Add(new KeyState
            {
                Fingerprint = recipient.Fingerprint,
                Name = recipient.Name,
                Expires = recipient.Expires,
                InConfig = inConfig is null ? null : Has(inConfig, recipient),
                InSnapshot = Has(inSnapshot, recipient),
                Snapshots = snapshots.Count,
                LastSnapshot = snapshots.Count > 0 ? snapshots[^1] : null,
                LastTested = survey.LastTestOf(recipient.Fingerprint),
                LastTest = await survey.ReadLastTestAsync(recipient.Fingerprint, cancel),
            });
        }

        return new KeysReport { Keys = keys, Snapshot = newest?.Id, Warnings = warnings };
    }

    /// <summary>After a snapshot: writes the canary for its recipients where it or its digest is missing, and says what there is to worry
    /// about. Throws only when it is cancelled.</summary>
    internal async Task<IReadOnlyList<string>> AfterRunAsync(Manifest manifest, ICipher cipher, CancellationToken cancel)
    {
        if (manifest.Recipients.Count == 0)
        {
            return [];
        }

        KeysSurvey survey = await KeysSurvey.OfAsync(stores, clock.GetUtcNow(), cancel);
        List<string> notes = [.. survey.Problems];
        string canary = KeysFolder.CanaryName(manifest.Recipients, cipher.Extension);
        byte[]? encrypted = null;
        foreach (IObjectStore store in survey.WithoutCanary(canary))
        {
            try
            {
                encrypted ??= await EncryptAsync(cipher, KeysFolder.CanaryText(manifest.Cluster), cancel);
                await new KeysFolder(store).PutCanaryAsync(canary, encrypted, cancel);
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                notes.Add($"the canary for `keys test` could not be written into {store.Name}: {e.Message}");
            }
        }

        return [.. notes, .. Warnings(manifest.Recipients, survey)];
    }

    /// <summary>
    /// After the restore of a drill: whose key decrypts the snapshot, found out on a part of it. Throws only when it is cancelled.
    /// </summary>
    /// <returns>The tests that were passed, when each recipient's key was tested last, these included, and what is to be noted.</returns>
    internal async Task<(IReadOnlyList<KeyTest> Tests, IReadOnlyDictionary<string, DateTimeOffset> Last, IReadOnlyList<string> Notes)> AfterDrillAsync(
        bool restored, SnapshotId id, Manifest manifest, IObjectStore from, ICipher cipher, CancellationToken cancel)
    {
        List<string> notes = [];
        IReadOnlyList<KeyTest> tests = [];
        try
        {
            tests = restored ? Tests(await new KeyTrial(from, id, manifest, cipher).RunAsync(clock.GetUtcNow(), cancel), manifest, from, KeyTest.ByDrill) : [];
            if (restored && tests.Count == 0)
            {
                notes.Add("it cannot be told whose key decrypted the snapshot, so the drill does not count as a test of it");
            }
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            notes.Add($"it could not be found out whose key decrypted the snapshot, so the drill does not count as a test of it: {e.CodeText}: {e.Message}");
        }

        KeysSurvey survey = await KeysSurvey.OfAsync(stores, clock.GetUtcNow(), cancel);
        notes.AddRange(survey.Problems);
        DateTimeOffset? LastOf(string fingerprint) => tests.FirstOrDefault(t => t.Fingerprint == fingerprint)?.Time ?? survey.LastTestOf(fingerprint);
        notes.AddRange(survey.IsKnown ? KeyWarnings.Of(manifest.Recipients, LastOf, clock.GetUtcNow()) : KeyWarnings.Of(manifest.Recipients, clock.GetUtcNow()));
        Dictionary<string, DateTimeOffset> last = [];
        foreach (string fingerprint in manifest.Recipients.Select(static r => r.Fingerprint))
        {
            if (LastOf(fingerprint) is { } time)
            {
                last[fingerprint] = time;
            }
        }

        return (tests, last, notes);
    }

    /// <summary>Writes the records of tests into every store.</summary>
    /// <returns>The stores that have all of them now; the first error; and what could not be written, a sentence each.</returns>
    internal async Task<(IReadOnlyList<string> Stores, PgBackupException? Lost, IReadOnlyList<string> Problems)> RecordAsync(IReadOnlyList<KeyTest> tests, CancellationToken cancel)
    {
        List<string> recorded = [];
        List<string> problems = [];
        PgBackupException? lost = null;
        foreach (IObjectStore store in tests.Count > 0 ? stores : [])
        {
            try
            {
                foreach (KeyTest test in tests)
                {
                    await new KeysFolder(store).RecordAsync(test, cancel);
                }

                recorded.Add(store.Name);
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                lost ??= e;
                problems.Add($"the test could not be recorded in {store.Name}: {e.Message}");
            }
        }

        return (recorded, lost, problems);
    }

    private static bool Has(IReadOnlyList<Recipient> recipients, Recipient one) => recipients.Any(r => KeysFolder.NameOf(r.Fingerprint) == KeysFolder.NameOf(one.Fingerprint));

    private static PgBackupException NoKeys(string why) => new(
        ErrorCode.Usage, $"there are no keys: {why}.", "`encryption: { gpg: { recipients: [...] } }` or `{ age: ... }` in the config encrypts to keys of your own.");

    private static string HowEncrypted(string kind) => kind == NoCipher.Provider ? "encrypted by the store alone, with the store's own key" : "not encrypted";

    private static async Task<byte[]> EncryptAsync(ICipher cipher, string text, CancellationToken cancel)
    {
        await using Stream encrypted = cipher.Encrypt(new MemoryStream(Encoding.UTF8.GetBytes(text)), cancel);
        using var all = new MemoryStream();
        await encrypted.CopyToAsync(all, cancel);
        return all.ToArray();
    }

    private IReadOnlyList<string> Warnings(IReadOnlyList<Recipient> recipients, KeysSurvey survey) =>
        survey.IsKnown ? KeyWarnings.Of(recipients, survey.LastTestOf, clock.GetUtcNow()) : KeyWarnings.Of(recipients, clock.GetUtcNow());

    private IReadOnlyList<KeyTest> Tests(IReadOnlyList<Recipient> worked, Manifest manifest, IObjectStore from, string how) => [.. worked.Select(recipient => new KeyTest
    {
        Format = KeyTest.CurrentFormat,
        Time = SnapshotId.At(clock.GetUtcNow()).Time,
        Fingerprint = recipient.Fingerprint,
        Name = recipient.Name,
        Snapshot = manifest.Id,
        Store = from.Name,
        Host = Environment.MachineName,
        Tool = ProductVersion.Text,
        How = how,
    })];

    // Of all stores; what one of them cannot tell is a warning, unless none can.
    private async Task<Manifest?> NewestAsync(List<string> warnings, CancellationToken cancel)
    {
        Manifest? newest = null;
        List<PgBackupException> unreadable = [];
        foreach (IObjectStore store in stores)
        {
            try
            {
                Manifest latest = (await new Catalog(store) { Clock = clock }.LatestAsync(cancel)).Manifest;
                newest = newest is null || string.CompareOrdinal(latest.Id, newest.Id) > 0 ? latest : newest;
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.SnapshotMissing)
            {
                // An empty store says no less than a full one.
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                unreadable.Add(e);
            }
        }

        // A store that is not there at all was told already.
        warnings.AddRange(unreadable.Select(static e => e.Message).Where(message => !warnings.Any(w => w.EndsWith(message, StringComparison.Ordinal))).ToList());
        return unreadable.Count < stores.Count ? newest : throw unreadable[0];
    }

    // Null where the config names none, or they cannot be used: then a run fails too.
    private static async Task<IReadOnlyList<Recipient>?> RecipientsAsync(ICipher configured, List<string> warnings, CancellationToken cancel)
    {
        try
        {
            return await configured.CheckAsync(cancel) is { Count: > 0 } recipients ? recipients : null;
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.RecipientUnusable or ErrorCode.ToolMissing)
        {
            warnings.Add($"{e.CodeText}: {e.Message}");
            return null;
        }
    }
}
