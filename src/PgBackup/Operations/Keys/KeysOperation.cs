using System.Text;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Keys;

/// <summary>
/// Whether the private keys are still there: canaries are written by runs, tests are made on demand and by drills, and both lie in the
/// folder <c>keys/</c> of every store. Nothing here stops a run or a drill: what cannot be read or written is a note.
/// </summary>
public sealed class KeysOperation(IReadOnlyList<IObjectStore> stores, TimeProvider clock)
{
    /// <summary>Records tests on demand; null to leave no record. What <c>keys/</c> holds is written either way.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>Decrypts the canary and a real part of a snapshot, and records in every store which key did.</summary>
    /// <param name="snapshot">An id, or <c>latest</c>.</param>
    /// <param name="from">The store to read.</param>
    /// <param name="cipherFor">The cipher for a snapshot, with the identity.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.Usage"/> when the snapshot has no keys; <see cref="ErrorCode.IdentityUnusable"/>;
    /// <see cref="ErrorCode.KeyTestFailed"/>; the error of a store, when the test could not be recorded anywhere.
    /// </exception>
    public Task<KeyTestReport> TestAsync(
        SnapshotRef snapshot,
        IObjectStore from,
        Func<Manifest, ICipher> cipherFor,
        CancellationToken cancel
    ) =>
        Recorder.RecordAsync(
            r => r.Begin(RecordKind.KeyTest, "key test") with { Snapshot = snapshot.ToString(), Store = from.Name },
            () => DecryptAsync(snapshot, from, cipherFor, cancel),
            static (begun, report) =>
                begun with
                {
                    Result = RecordResult.Ok,
                    Snapshot = report.Snapshot,
                    Summary =
                        $"decrypted {report.Part} by the key of "
                        + string.Join(", ", report.Tests.Select(static t => KeyFindings.Short(t.Fingerprint))),
                    Findings = report.Findings,
                },
            cancel
        );

    private async Task<KeyTestReport> DecryptAsync(
        SnapshotRef snapshot,
        IObjectStore from,
        Func<Manifest, ICipher> cipherFor,
        CancellationToken cancel
    )
    {
        (SnapshotId id, Manifest manifest) = await new Catalog(from, clock).FindAsync(snapshot, cancel);
        if (manifest.Recipients.Count == 0)
        {
            throw NoKeys($"the snapshot {id} is {HowEncrypted(manifest.EncryptedBy())}");
        }

        KeyTrial trial;
        IReadOnlyList<Recipient> worked;
        await using (ICipher cipher = cipherFor(manifest))
        {
            trial = new KeyTrial(from, id, manifest, cipher);
            worked = await trial.RunAsync(clock.GetUtcNow(), cancel);
        }

        if (worked.Count == 0)
        {
            throw new PgBackupException(
                ErrorCode.KeyTestFailed,
                $"{trial.Part.Object} was decrypted, but it is not known by whose key (one of a plugin's?): no test was recorded.",
                $"Its recipients are {string.Join(", ", manifest.Recipients.Select(static r => KeyFindings.Short(r.Fingerprint)))}. "
                    + $"Test with a key in a file."
            );
        }

        IReadOnlyList<KeyTest> tests = Tests(worked, manifest, from, KeyTest.ByKeysTest);
        (IReadOnlyList<string> recorded, PgBackupException? lost, IReadOnlyList<Finding> problems) = await RecordAsync(tests, cancel);
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
            Findings = [.. problems, .. survey.Problems, .. Findings(manifest.Recipients, survey)],
        };
    }

    /// <summary>Finds out on a small part of a snapshot whether an identity decrypts it, before anything else is done. Nothing is
    /// recorded.</summary>
    /// <param name="snapshot">An id, or <c>latest</c>.</param>
    /// <param name="from">The store to read.</param>
    /// <param name="cipherFor">The cipher for a snapshot, with the identity.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.IdentityUnusable"/>: it does not; <see cref="ErrorCode.KeyTestFailed"/> or the error of a store, where that
    /// is not known.
    /// </exception>
    public async Task RequireIdentityAsync(
        SnapshotRef snapshot,
        IObjectStore from,
        Func<Manifest, ICipher> cipherFor,
        CancellationToken cancel
    )
    {
        (SnapshotId id, Manifest manifest) = await new Catalog(from, clock).FindAsync(snapshot, cancel);
        await using ICipher cipher = cipherFor(manifest);
        await new KeyTrial(from, id, manifest, cipher).DecryptPartAsync(cancel);
    }

    /// <summary>The recipients of the config, of the newest complete snapshot, and of all older ones, with their tests.</summary>
    /// <param name="configured">The cipher of the config.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> when there are no keys; the error of the stores, when none can be
    /// read.</exception>
    public async Task<KeysReport> ListAsync(ICipher configured, CancellationToken cancel)
    {
        KeysSurvey survey = await KeysSurvey.OfAsync(stores, clock.GetUtcNow(), cancel);
        List<Finding> findings = [.. survey.Problems];
        Manifest? newest = await NewestAsync(findings, cancel);
        IReadOnlyList<Recipient>? inConfig = await RecipientsAsync(configured, findings, cancel);
        IReadOnlyList<Recipient> current = inConfig ?? newest?.Recipients ?? [];
        IReadOnlyList<Recipient> inSnapshot = newest?.Recipients ?? [];
        KeyHistory history = await KeyHistory.OfAsync(stores, clock, findings, cancel);
        List<Recipient> all =
        [
            .. current.Concat(inSnapshot).Concat(history.Recipients).DistinctBy(static r => KeysFolder.NameOf(r.Fingerprint)),
        ];
        if (all.Count == 0)
        {
            throw findings.Count > 0
                ? new PgBackupException(
                    ErrorCode.RecipientUnusable,
                    $"it is not known whose keys there are: {string.Join("; ", findings.Select(static f => f.Text))}"
                )
                : NoKeys(
                    newest is null
                        ? $"the config says {configured.Kind}, and there is no snapshot yet"
                        : $"the newest snapshot {newest.Id} is {HowEncrypted(newest.EncryptedBy())}"
                );
        }

        findings.AddRange(Findings(current, survey));
        if (newest is not null && current.Count > 1 && inSnapshot.Count == 1)
        {
            findings.Add(KeyFindings.OneKey($"the newest snapshot {newest.Id} is ", inSnapshot[0]));
        }

        if (inConfig is not null && history.SnapshotsWithout(inConfig) is { Count: > 0 } retired)
        {
            findings.Add(KeyFindings.Retired(retired));
        }

        List<KeyState> keys = [];
        foreach (Recipient recipient in all)
        {
            IReadOnlyList<string> snapshots = history.SnapshotsOf(recipient);
            keys.Add(
                new KeyState
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
                }
            );
        }

        return new KeysReport
        {
            Keys = keys,
            Snapshot = newest?.Id,
            Findings = findings,
        };
    }

    /// <summary>After a snapshot: writes the canary for its recipients where it or its digest is missing, and says what there is to worry
    /// about. Throws only when it is cancelled.</summary>
    internal async Task<IReadOnlyList<Finding>> AfterRunAsync(Manifest manifest, ICipher cipher, CancellationToken cancel)
    {
        if (manifest.Recipients.Count == 0)
        {
            return [];
        }

        KeysSurvey survey = await KeysSurvey.OfAsync(stores, clock.GetUtcNow(), cancel);
        List<Finding> findings = [.. survey.Problems];
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
                string what = $"the canary for `keys test` could not be written into {store.Name}";
                findings.Add(Finding.Of(Severity.Warning, ErrorCode.CanaryNotWritten, store.Name, what, e));
            }
        }

        return [.. findings, .. Findings(manifest.Recipients, survey)];
    }

    /// <summary>
    /// After the restore of a drill: whose key decrypts the snapshot, found out on a part of it. Throws only when it is cancelled.
    /// </summary>
    /// <returns>The tests that were passed, when each recipient's key was tested last, these included, and what was found.</returns>
    internal async Task<(
        IReadOnlyList<KeyTest> Tests,
        IReadOnlyDictionary<string, DateTimeOffset> Last,
        IReadOnlyList<Finding> Findings
    )> AfterDrillAsync(bool restored, SnapshotId id, Manifest manifest, IObjectStore from, ICipher cipher, CancellationToken cancel)
    {
        List<Finding> findings = [];
        IReadOnlyList<KeyTest> tests = [];
        try
        {
            tests = restored
                ? Tests(await new KeyTrial(from, id, manifest, cipher).RunAsync(clock.GetUtcNow(), cancel), manifest, from, KeyTest.ByDrill)
                : [];
            if (restored && tests.Count == 0)
            {
                const string What = "it is not known whose key decrypted the snapshot, so the drill does not count as a test of it";
                findings.Add(Finding.Note(ErrorCode.KeyNotKnown, id.ToString(), What));
            }
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            const string What = "it could not be found out whose key decrypted the snapshot, so the drill does not count as a test of it";
            findings.Add(Finding.Of(Severity.Warning, ErrorCode.KeyNotKnown, id.ToString(), What, e));
        }

        KeysSurvey survey = await KeysSurvey.OfAsync(stores, clock.GetUtcNow(), cancel);
        findings.AddRange(survey.Problems);
        DateTimeOffset? LastOf(string fingerprint) =>
            tests.FirstOrDefault(t => t.Fingerprint == fingerprint)?.Time ?? survey.LastTestOf(fingerprint);
        // A drill fails by what it rehearsed: another key that nobody tested is an error in `status` and `keys`.
        findings.AddRange(
            survey.IsKnown
                ? KeyFindings.Of(manifest.Recipients, LastOf, null, clock.GetUtcNow()).Select(AtMostWarning)
                : KeyFindings.Of(manifest.Recipients, clock.GetUtcNow())
        );
        Dictionary<string, DateTimeOffset> last = [];
        foreach (string fingerprint in manifest.Recipients.Select(static r => r.Fingerprint))
        {
            if (LastOf(fingerprint) is { } time)
            {
                last[fingerprint] = time;
            }
        }

        return (tests, last, findings);
    }

    /// <summary>Writes the records of tests into every store.</summary>
    /// <returns>The stores that have all of them now; the first error; and what could not be written.</returns>
    internal async Task<(IReadOnlyList<string> Stores, PgBackupException? Lost, IReadOnlyList<Finding> Problems)> RecordAsync(
        IReadOnlyList<KeyTest> tests,
        CancellationToken cancel
    )
    {
        List<string> recorded = [];
        List<Finding> problems = [];
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
                string what = $"the test could not be recorded in {store.Name}";
                problems.Add(Finding.Of(Severity.Warning, ErrorCode.KeyTestNotRecorded, store.Name, what, e));
            }
        }

        return (recorded, lost, problems);
    }

    private static Finding AtMostWarning(Finding finding) =>
        finding.Severity == Severity.Error ? finding with { Severity = Severity.Warning } : finding;

    private static bool Has(IReadOnlyList<Recipient> recipients, Recipient one) =>
        recipients.Any(r => KeysFolder.NameOf(r.Fingerprint) == KeysFolder.NameOf(one.Fingerprint));

    private static PgBackupException NoKeys(string why) =>
        new(
            ErrorCode.Usage,
            $"there are no keys: {why}.",
            "`encryption: { gpg: { recipients: [...] } }` or `{ age: ... }` in the config encrypts to keys of your own."
        );

    private static string HowEncrypted(EncryptionKind kind) =>
        kind == EncryptionKind.Provider ? "encrypted by the store alone, with the store's own key" : "not encrypted";

    private static async Task<byte[]> EncryptAsync(ICipher cipher, string text, CancellationToken cancel)
    {
        await using Stream encrypted = cipher.Encrypt(new MemoryStream(Encoding.UTF8.GetBytes(text)), cancel);
        using var all = new MemoryStream();
        await encrypted.CopyToAsync(all, cancel);
        return all.ToArray();
    }

    private IReadOnlyList<Finding> Findings(IReadOnlyList<Recipient> recipients, KeysSurvey survey) =>
        survey.IsKnown
            ? KeyFindings.Of(recipients, survey.LastTestOf, survey.KnownSince(recipients), clock.GetUtcNow())
            : KeyFindings.Of(recipients, clock.GetUtcNow());

    private IReadOnlyList<KeyTest> Tests(IReadOnlyList<Recipient> worked, Manifest manifest, IObjectStore from, string how) =>
        [
            .. worked.Select(recipient => new KeyTest
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
            }),
        ];

    // Of all stores; what one of them cannot give is a warning, unless none can.
    private async Task<Manifest?> NewestAsync(List<Finding> findings, CancellationToken cancel)
    {
        Manifest? newest = null;
        List<(IObjectStore Store, PgBackupException Error)> unreadable = [];
        foreach (IObjectStore store in stores)
        {
            try
            {
                Manifest latest = (await new Catalog(store, clock).LatestAsync(cancel)).Manifest;
                newest = newest is null || string.CompareOrdinal(latest.Id, newest.Id) > 0 ? latest : newest;
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.SnapshotMissing)
            {
                // An empty store says no less than a full one.
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                unreadable.Add((store, e));
            }
        }

        // A store that does not exist was reported already.
        findings.AddRange(
            unreadable
                .Where(u => !findings.Any(f => KeyHistory.IsOf(f, u.Error)))
                .Select(static u =>
                    Finding.Of(
                        Severity.Warning,
                        ErrorCode.KeyRecordsUnreadable,
                        u.Store.Name,
                        $"the newest snapshot in {u.Store.Name} is not known",
                        u.Error
                    )
                )
                .ToList()
        );
        return unreadable.Count < stores.Count ? newest : throw unreadable[0].Error;
    }

    // Null where the config names none, or they cannot be used: then a run fails too.
    private static async Task<IReadOnlyList<Recipient>?> RecipientsAsync(
        ICipher configured,
        List<Finding> findings,
        CancellationToken cancel
    )
    {
        try
        {
            return await configured.CheckAsync(cancel) is { Count: > 0 } recipients ? recipients : null;
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.RecipientUnusable or ErrorCode.ToolMissing)
        {
            findings.Add(Finding.Of(Severity.Warning, "encryption", e));
            return null;
        }
    }
}
