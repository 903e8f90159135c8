using System.Collections.Concurrent;
using PgBackup.Configuration;
using PgBackup.Neon;
using PgBackup.Operations.Drill;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Status;

/// <summary>
/// Reads all stores once, at the same time, and says how the backups stand. It needs no server and no key, changes nothing, and answers
/// within about ten seconds though a store hangs: then it says what it could not see.
/// </summary>
/// <param name="config">What is expected.</param>
/// <param name="stores">All stores.</param>
/// <param name="clock">The time.</param>
public sealed class StatusOperation(BackupConfig config, IReadOnlyList<BackupStore> stores, TimeProvider clock)
{
    /// <summary>How many events a status shows.</summary>
    public const int MostEvents = 8;

    // A loss is confirmed within days, or the same one again every night.
    private const int MostConfirmations = 200;

    // A year of nightly checks has more: damage that nobody looks at for so long is found again by the next one.
    private const int MostChecks = 100;

    // Of the last drills, how many are read to find one that restored.
    private const int MostDrills = 5;

    // Of the newest complete snapshots, how many are tried.
    private const int MostManifests = 5;

    private const int AtOnce = 8;

    private static readonly TimeSpan ListingTime = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan ReadingTime = TimeSpan.FromSeconds(3);

    private const int MostNamed = 3;

    private readonly List<Finding> findings = [];
    private readonly ConcurrentBag<string> unreadable = [];
    private readonly ConcurrentDictionary<SnapshotId, Lazy<Task<Manifest?>>> whole = [];
    private readonly ConcurrentDictionary<string, bool> silent = new(StringComparer.Ordinal);

    /// <summary>What only this host knows.</summary>
    public IReadOnlyList<Finding> FromHost { get; init; } = [];

    /// <summary>Asks Neon how far back it reaches; null where the config does not say so.</summary>
    public NeonClient? NeonApi { get; init; }

    /// <summary>Reads and judges. What cannot be read is a finding.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<StatusReport> ReadAsync(CancellationToken cancel)
    {
        Task<NeonReading?> neon = NeonAsync(cancel);
        StoreReading[] readings = await Task.WhenAll(stores.Select(s => StoreReading.ReadAsync(s, ListingTime, clock, cancel)));
        DateTimeOffset now = clock.GetUtcNow();
        Task<Manifest?> newest = NewestAsync(readings, static e => e.IsComplete, cancel);
        Task<Manifest?> proven = NewestAsync(readings, static e => e.IsProven, cancel);
        Task<Manifest?> partial = PartialAsync(readings, now, cancel);
        Task<IReadOnlyList<DrillReport>> drills = DrillsAsync(readings, now, cancel);
        Task<IReadOnlyList<Record>> records = RecordsAsync(readings, n => !n.IsAfter(now), MostEvents, cancel);
        Task<IReadOnlyList<Record>> runs = RecordsAsync(readings, n => n.Kind == RecordKind.Run && !n.IsAfter(now), 1, cancel);
        Task<IReadOnlyList<Record>> checks = ChecksAsync(readings, now, cancel);
        // Only what is lost has to be settled; what was settled lately is told.
        bool isLost = (await newest)?.Losses.Count > 0 || (await partial)?.Losses.Count > 0;
        DateTimeOffset since = isLost ? DateTimeOffset.MinValue : now - StatusJudge.ConfirmationShown;
        var facts = new StatusFacts
        {
            Config = config,
            Now = now,
            Readings = readings,
            Newest = await newest,
            Proven = await proven,
            Partial = await partial,
            Drills = await drills,
            Records = await records,
            Checks = await checks,
            LastRun = (await runs).Count > 0 ? (await runs)[0] : null,
            Confirmations = await RecordsAsync(readings, n => n.Kind == RecordKind.Confirm && n.Time >= since, MostConfirmations, cancel),
            Neon = await neon,
        };
        if (!unreadable.IsEmpty)
        {
            Add([Unreadable([.. unreadable.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)])]);
        }

        return new StatusJudge(facts).Report([.. findings, .. FromHost]);
    }

    private async Task<NeonReading?> NeonAsync(CancellationToken cancel) => NeonApi is null ? null : await NeonApi.ReadAsync(cancel);

    // The newest snapshot of a kind in all stores whose manifest can be read, and that one of them has whole.
    private async Task<Manifest?> NewestAsync(StoreReading[] readings, Func<CatalogEntry, bool> which, CancellationToken cancel)
    {
        IEnumerable<SnapshotId> ids = readings
            .SelectMany(r => r.Entries)
            .Where(e => which(e) && Freshness.Newest([e], clock.GetUtcNow()) is not null)
            .Select(static e => e.Id)
            .Distinct()
            .OrderDescending()
            .Take(MostManifests);
        foreach (SnapshotId id in ids)
        {
            if (await whole.GetOrAdd(id, i => new Lazy<Task<Manifest?>>(() => WholeAsync(readings, i, cancel))).Value is { } manifest)
            {
                return manifest;
            }
        }

        return null;
    }

    // By names and sizes alone: `check` reads the bytes.
    private async Task<Manifest?> WholeAsync(StoreReading[] readings, SnapshotId id, CancellationToken cancel)
    {
        if (await ManifestAsync(readings, id, cancel) is not { } manifest)
        {
            return null;
        }

        if (manifest.Cluster != config.Cluster)
        {
            Add([
                Finding.Error(
                    ErrorCode.StoreOfAnotherCluster,
                    id.ToString(),
                    $"{id} is of the cluster \"{Foreign.Line(manifest.Cluster)}\", and this config is for \"{config.Cluster}\"",
                    fix: "Give each cluster a folder (or prefix) of its own, or correct cluster: in the config"
                ),
            ]);
            return null;
        }

        List<(StoreReading Reading, IReadOnlyList<string> Missing)> copies = [];
        foreach (StoreReading reading in readings)
        {
            if (reading.Entries.FirstOrDefault(e => e.Id == id && e.IsComplete) is { } entry)
            {
                copies.Add((reading, entry.Missing(manifest)));
            }
        }

        bool isWhole = copies.Exists(static c => c.Missing.Count == 0);
        Add(copies.Where(static c => c.Missing.Count > 0).Select(c => Damaged(c.Reading, id, c.Missing, isWhole)));
        return isWhole ? manifest : null;
    }

    private static Finding Damaged(StoreReading reading, SnapshotId id, IReadOnlyList<string> missing, bool isWholeElsewhere) =>
        Finding.Error(
            ErrorCode.ObjectDamaged,
            reading.Name,
            $"{id} in {reading.Name} is damaged: missing, or of another size: "
                + string.Join(", ", missing.Take(MostNamed).Select(Foreign.Line))
                + (missing.Count > MostNamed ? $" and {missing.Count - MostNamed} more" : ""),
            fix: isWholeElsewhere
                ? $"`olympus-pgbackup check {id} --repair` copies it from a store that has it whole"
                : $"No store has it whole. `olympus-pgbackup check {id}` says what is left; start `olympus-pgbackup run`"
        );

    private static Finding Unreadable(string[] what) =>
        Finding.Warning(
            ErrorCode.RecordsUnreadable,
            "",
            $"{string.Join(", ", what.Take(MostNamed))}{(what.Length > MostNamed ? $" and {what.Length - MostNamed} more" : "")} cannot be "
                + "read, so it is not known what was said there",
            "damaged, or of a newer version",
            "`olympus-pgbackup log` and `olympus-pgbackup drill --list` show what can be read"
        );

    // The newest snapshot of all, if it lacks something.
    private async Task<Manifest?> PartialAsync(StoreReading[] readings, DateTimeOffset now, CancellationToken cancel) =>
        readings.SelectMany(static r => r.Entries).Where(e => e.HasManifest && !e.Id.IsAfter(now)).MaxBy(static e => e.Id)
            is { IsComplete: false } partial
        && await ManifestAsync(readings, partial.Id, cancel) is { } manifest
        && manifest.Cluster == config.Cluster
            ? manifest
            : null;

    private Task<Manifest?> ManifestAsync(StoreReading[] readings, SnapshotId id, CancellationToken cancel) =>
        FirstAsync(
            readings.Where(r => r.Entries.Any(e => e.Id == id && e.HasManifest)),
            async (reading, c) =>
            {
                (Manifest? manifest, PgBackupException? error) = await new Catalog(reading.Store.Store, clock).TryReadManifestAsync(
                    reading.Entries.First(e => e.Id == id),
                    c
                );
                return error is null ? manifest : throw error;
            },
            $"the manifest of {id}",
            Severity.Error,
            cancel
        );

    private async Task<IReadOnlyList<DrillReport>> DrillsAsync(StoreReading[] readings, DateTimeOffset now, CancellationToken cancel)
    {
        List<DrillReport> drills = [];
        IEnumerable<SnapshotId> held = readings.SelectMany(static r => r.Drills).Where(d => !d.IsAfter(now)).Distinct().OrderDescending();
        foreach (SnapshotId id in held.Take(MostDrills))
        {
            DrillReport? drill = await FirstAsync(
                readings.Where(r => r.Drills.Contains(id)),
                async (reading, c) =>
                    await reading.Store.Store.TryReadBytesAsync($"{SnapshotLayout.Drills}/{id}.json", DrillRecord.LargestReport, c)
                        is { } json
                    && DrillReport.TryRead(json) is { } report
                    && SnapshotId.At(report.Started) == id
                        ? report
                        : null,
                $"the report of the drill {id}",
                Severity.Warning,
                cancel
            );
            drills.AddRange(drill is null ? [] : [drill]);
            if (drill is { Passed: true })
            {
                break;
            }
        }

        return drills;
    }

    // Names tell of damage. Where there was none, the newest check is read alone.
    private async Task<IReadOnlyList<Record>> ChecksAsync(StoreReading[] readings, DateTimeOffset now, CancellationToken cancel)
    {
        IEnumerable<RecordName> names = readings.SelectMany(static r => r.Records).DistinctBy(static n => n.Name);
        RecordName[] looks =
        [
            .. RecordName
                .NewestFirst(names)
                .Where(n => n.Kind is RecordKind.Check or RecordKind.Damage or RecordKind.Repair && !n.IsAfter(now)),
        ];
        RecordName[] found = [.. looks.Where(static n => n.Kind != RecordKind.Check).Take(MostChecks)];
        // Of the checks, those that may settle something, and the newest one.
        IEnumerable<RecordName> later = looks.Where(n => n.Kind == RecordKind.Check && found.Length > 0 && n.Time >= found[^1].Time);
        HashSet<string> wanted = [.. looks.Take(1).Concat(found).Concat(later.Take(MostChecks)).Select(static n => n.Name)];
        return await RecordsAsync(readings, n => wanted.Contains(n.Name), wanted.Count, cancel);
    }

    private async Task<IReadOnlyList<Record>> RecordsAsync(
        StoreReading[] readings,
        Func<RecordName, bool> which,
        int most,
        CancellationToken cancel
    )
    {
        IEnumerable<RecordName> names = readings.SelectMany(static r => r.Records).Where(which).DistinctBy(static n => n.Name);
        RecordName[] wanted = [.. RecordName.NewestFirst(names).Take(most)];
        var records = new Record?[wanted.Length];
        await Parallel.ForEachAsync(
            wanted.Index(),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel },
            async (name, stop) =>
                records[name.Index] = await FirstAsync(
                    readings.Where(r => r.Has(name.Item)),
                    (reading, c) => new RecordsFolder(reading.Store.Store).TryReadAsync(name.Item, c),
                    $"the record {name.Item.Name}",
                    Severity.Warning,
                    stop
                )
        );
        return [.. records.OfType<Record>()];
    }

    // From the first store that gives it. A manifest that cannot be read is damage; of a report or a record, one good copy is enough.
    private async Task<T?> FirstAsync<T>(
        IEnumerable<StoreReading> those,
        Func<StoreReading, CancellationToken, Task<T?>> read,
        string what,
        Severity severity,
        CancellationToken cancel
    )
        where T : class
    {
        List<Finding> problems = [];
        bool isThere = false;
        foreach (StoreReading reading in those.Where(r => !silent.ContainsKey(r.Name)))
        {
            try
            {
                Answer<T>? answer = await Patience.WithinAsync(
                    async c => new Answer<T>(await read(reading, c)),
                    ReadingTime,
                    clock,
                    cancel
                );
                if (answer?.Value is { } found)
                {
                    Add(severity == Severity.Error ? problems : []);
                    return found;
                }

                isThere |= answer is not null;
                // It is not asked again: each question would take as long.
                if (answer is null && silent.TryAdd(reading.Name, true))
                {
                    Add([Silent(reading, what)]);
                }
            }
            catch (PgBackupException e) when (!cancel.IsCancellationRequested)
            {
                string text = $"{what} in {reading.Name} cannot be read";
                problems.Add(Finding.Of(severity, e.Code, reading.Name, text, e));
            }
        }

        // Some store gave it, and it made no sense.
        if (isThere && severity != Severity.Error)
        {
            unreadable.Add(what);
        }

        Add(problems);
        return null;
    }

    private static Finding Silent(StoreReading reading, string what) =>
        Finding.Warning(
            ErrorCode.StoreSilent,
            reading.Name,
            $"{reading.Name} did not give {what} within {ReadingTime.TotalSeconds:0} s",
            fix: $"Look at its disk or its network, then `olympus-pgbackup list --store {reading.Name}`"
        );

    private void Add(IEnumerable<Finding> found)
    {
        lock (findings)
        {
            findings.AddRange(found);
        }
    }

    private sealed record Answer<T>(T? Value);
}
