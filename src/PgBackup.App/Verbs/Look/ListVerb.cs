using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Host;
using PgBackup.Installations;
using PgBackup.Operations;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>list</c>: the catalog of a store.</summary>
internal static class ListVerb
{
    // With the listing itself (1,000 names a request), 1,000 snapshots take fewer than 20 requests.
    private const int Detailed = 6;

    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        Option<string?> storeName = VerbOptions.Store("The store to look into (default: the first)");
        var command = new VerbCommand(
            "list",
            "Lists the snapshots of a store: id, age, complete or not, losses, size, and why each is kept"
        )
        {
            Examples = """
                olympus-pgbackup list
                olympus-pgbackup list --all-stores                       which snapshot is where
                olympus-pgbackup list --json | jq '.[] | select(.state == "complete") | .id'
                """,
            ExitCodes = """
                0  done
                1  the store, or one of all stores, cannot be read
                2  wrong usage or config
                """,
        };
        var all = new Option<bool>("--all-stores") { Description = "Which snapshot is in which store, by names alone" };
        command.Add(storeName);
        command.Add(all);
        command.SetAction(
            (parsed, cancel) =>
            {
                string? name = parsed.GetValue(storeName);
                bool json = parsed.GetValue(options.Json);
                if (parsed.GetValue(all) && name is not null)
                {
                    throw new PgBackupException(ErrorCode.Usage, "--store and --all-stores exclude each other.", "Choose one.");
                }

                Installation installation = options.ReadStores(parsed, cancel);
                return parsed.GetValue(all)
                    ? ListAllStores.RunAsync(installation, json, cancel)
                    : RunAsync(installation, name, json, cancel);
            }
        );
        return command;
    }

    private static async Task<int> RunAsync(Installation installation, string? storeName, bool json, CancellationToken cancel)
    {
        BackupStore target = installation.Store(storeName);
        IObjectStore store = target.Store;
        Catalog catalog = installation.CatalogOf(store);
        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(cancel);
        DateTimeOffset now = installation.Clock.GetUtcNow();
        Dictionary<SnapshotId, (Manifest? Manifest, PgBackupException? Error)> read = await ReadNewestAsync(catalog, entries, cancel);
        RetentionPlan plan = RetentionPolicy.Plan(
            target.Keep,
            [
                .. BackupStore
                    .Facts(entries)
                    .Select(f =>
                        f with
                        {
                            IsReadable = read.GetValueOrDefault(f.Id).Error is null,
                            IsDisputed = read.GetValueOrDefault(f.Id).Manifest is { IsComplete: true } && !f.IsComplete,
                        }
                    ),
            ],
            now
        );
        Dictionary<SnapshotId, RetentionDecision> kept = plan.Decisions.ToDictionary(static d => d.Snapshot.Id);
        Dictionary<SnapshotId, Manifest> manifests = read.Where(static r => r.Value.Manifest is not null)
            .ToDictionary(static r => r.Key, static r => r.Value.Manifest!);
        ListedLosses losses = await ListedLosses.ReadAsync(installation.Losses(), catalog, entries, manifests, cancel);
        List<ListedSnapshot> listed =
        [
            .. entries.Select(e =>
                Describe(e, read.GetValueOrDefault(e.Id), kept.GetValueOrDefault(e.Id), now) with
                {
                    UnconfirmedLoss = losses.IsRed(e),
                    Losses = losses.Of(e)?.Findings,
                }
            ),
        ];
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(listed, AppJson.Readable.ListListedSnapshot));
            return 0;
        }

        if (entries.Count == 0)
        {
            Terminal.Line($"The store {store.Name} ({store.Location}) has no snapshots. `olympus-pgbackup` takes one.");
            if (storeName is null)
            {
                await ShowOthersAsync(installation, now, cancel);
            }

            return 0;
        }

        Terminal.Table(["SNAPSHOT", "AGE", "STATE", "DATABASES", "ROWS", "STORED", "TOOK", "KEPT"], [.. listed.Select(Row)], 1, 3, 4, 5, 6);
        ShowFigures(target, plan);
        FindingText.Line(losses.Open);
        FindingText.Line(Freshness.Of(store.Name, entries, installation.Config.MaxAge, now));
        if (storeName is null)
        {
            await ShowOthersAsync(installation, now, cancel);
        }

        return 0;
    }

    private static string[] Row(ListedSnapshot snapshot) =>
        [
            snapshot.Id,
            Terminal.Age(TimeSpan.FromSeconds(snapshot.AgeSeconds ?? 0)),
            State(snapshot),
            snapshot.Databases?.ToString(CultureInfo.InvariantCulture) ?? "",
            snapshot.Rows?.ToString("N0", CultureInfo.InvariantCulture) ?? "",
            snapshot.StoredBytes is { } bytes ? ByteSize.Text(bytes) : "",
            snapshot.Seconds is { } seconds ? Terminal.Span(seconds) : "",
            string.Join(
                "; ",
                (
                    (string?[])
                        [snapshot.Failed.Count > 0 ? "failed: " + string.Join(", ", snapshot.Failed) : snapshot.Problem, snapshot.Kept]
                ).Where(static t => t is not null)
            ),
        ];

    private static string State(ListedSnapshot snapshot) =>
        snapshot.State.Word() + (snapshot.Proven ? ", proven" : "") + (snapshot.UnconfirmedLoss ? ", LOSS" : "");

    private static async Task ShowOthersAsync(Installation installation, DateTimeOffset now, CancellationToken cancel)
    {
        foreach (BackupStore other in installation.Stores().Skip(1))
        {
            try
            {
                IReadOnlyList<CatalogEntry> entries = await installation.CatalogOf(other.Store).ListAsync(cancel);
                ShowFigures(other, RetentionPolicy.Plan(other.Keep, BackupStore.Facts(entries), now));
                FindingText.Line(Freshness.Of(other.Store.Name, entries, installation.Config.MaxAge, now));
            }
            catch (PgBackupException e)
            {
                Terminal.Message($"{other.Store.Name} ({other.Store.Location}) cannot be listed: {e.CodeText}: {e.Message}");
            }
        }
    }

    // What lies there and why, and what it adds up to in the long run, by the size of the last snapshots.
    private static void ShowFigures(BackupStore target, RetentionPlan plan)
    {
        List<string> tiers = [];
        foreach (
            IGrouping<KeepReasonKind, RetentionDecision> tier in plan
                .Decisions.SelectMany(static d => d.Reasons.Select(r => (r.Kind, Decision: d)))
                .Where(static p => p.Kind <= KeepReasonKind.Pinned)
                .GroupBy(static p => p.Kind, static p => p.Decision)
                .OrderBy(static g => g.Key)
        )
        {
            tiers.Add($"{tier.Key.ToString().ToLowerInvariant()} {tier.Count()} ({ByteSize.Text(tier.Sum(static d => d.Snapshot.Bytes))})");
        }

        int going = plan.Removed.Count();
        string gone =
            going == 0
                ? ""
                : $"; {going} ({ByteSize.Text(plan.BytesFreed)}) no longer kept by any rule: the next run or `prune` removes them";
        string bytes = ByteSize.Text(plan.Decisions.Sum(static d => d.Snapshot.Bytes));
        string byTier = tiers.Count == 0 ? "" : ": " + string.Join(", ", tiers);
        Terminal.Line($"{plan.Decisions.Count} in {target.Store.Name} ({target.Store.Location}), {bytes}{byTier}{gone}");
        List<RetainedSnapshot> last = [.. plan.Decisions.Select(static d => d.Snapshot).Where(static s => s.IsComplete).TakeLast(7)];
        if (last.Count > 0 && target.Keep.HasTiers)
        {
            StorageProjection projection = StorageProjection.Of(target.Keep, (long)last.Average(static s => s.Bytes));
            string more = string.Create(
                CultureInfo.InvariantCulture,
                $", and {projection.SnapshotsPerYear:0.#} ({ByteSize.Text(projection.BytesPerYear)}) more each year"
            );
            Terminal.Line(
                $"keeps {target.Keep}: one a night, at {ByteSize.Text((long)last.Average(static s => s.Bytes))} each, adds up to "
                    + $"{Words.Count(projection.Snapshots, "snapshot")}, {ByteSize.Text(projection.Bytes)}"
                    + $"{(projection.SnapshotsPerYear > 0 ? more : "")}"
            );
        }
    }

    // What a listing of names does not show is read for the newest ones only: a store of ten years has thousands of manifests.
    private static async Task<Dictionary<SnapshotId, (Manifest? Manifest, PgBackupException? Error)>> ReadNewestAsync(
        Catalog catalog,
        IReadOnlyList<CatalogEntry> entries,
        CancellationToken cancel
    )
    {
        List<CatalogEntry> newest = [.. entries.TakeLast(Detailed)];
        (Manifest?, PgBackupException?)[] read = await Task.WhenAll(newest.Select(e => catalog.TryReadManifestAsync(e, cancel)));
        return newest.Zip(read).ToDictionary(static pair => pair.First.Id, static pair => pair.Second);
    }

    private static ListedSnapshot Describe(
        CatalogEntry entry,
        (Manifest? Manifest, PgBackupException? Error) read,
        RetentionDecision? decision,
        DateTimeOffset now
    )
    {
        (Manifest? manifest, PgBackupException? error) = read;
        return new ListedSnapshot
        {
            Id = entry.Id.ToString(),
            State =
                error is { Code: ErrorCode.ManifestTooNew } ? ListedState.NewerVersion
                : error is not null || entry.Unreadable is not null ? ListedState.Unreadable
                : entry.IsComplete && manifest is not { IsComplete: false } ? ListedState.Complete
                : entry.HasManifest ? ListedState.Incomplete
                : entry.IsLeftover ? ListedState.Unfinished
                : ListedState.NoManifest,
            AgeSeconds = Math.Round((now - entry.Id.Time).TotalSeconds),
            Databases = manifest?.Databases.Count() ?? (entry.HasManifest && error is null ? entry.Databases : null),
            Rows = manifest?.Databases.Sum(static p => p.Proof.Rows),
            StoredBytes = manifest?.StoredBytes ?? (entry.HasManifest && error is null ? entry.Bytes : null),
            Seconds = manifest is null ? null : Math.Round((manifest.Finished - manifest.Started).TotalSeconds, 1),
            SkewMs = manifest?.SkewMs,
            Proven = entry.IsProven,
            Pinned = entry.IsPinned,
            Kept = decision?.Why,
            KeptUntil = decision?.KeptUntil,
            Failed = manifest is null ? [] : [.. manifest.Failures.Select(static f => f.Part)],
            Problem =
                entry.Unreadable is { } why ? why
                : manifest is { IsComplete: true } && !entry.IsComplete
                    ? $"its manifest is complete, and the mark {SnapshotLayout.Incomplete} contradicts it: `check` says more"
                : error is not null ? $"{error.CodeText}: {error.Message}"
                : manifest is { LeftOut.Count: > 0 } ? "left out: " + string.Join(", ", manifest.LeftOut)
                : entry.HasManifest ? null
                : entry.IsLeftover ? "a run that was killed, or is under way; the next run removes it"
                : "no snapshot: its manifest is missing",
        };
    }
}
