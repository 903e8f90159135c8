using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Host;
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
        var storeName = new Option<string?>("--store") { Description = "The store to look into (default: the first)", HelpName = "NAME" };
        var command = new Command("list", "The snapshots of a store: id, age, complete or not, size, and why each is kept") { storeName };
        command.SetAction((parsed, cancel) => RunAsync(
            parsed.GetValue(options.Config), parsed.GetValue(storeName), parsed.GetValue(options.Json), TimeProvider.System, cancel));
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup list
            olympus-pgbackup list --json | jq '.[] | select(.state == "complete") | .id'
            """,
            """
            0  done
            1  the store cannot be read
            2  wrong usage or config
            """);
    }

    private static async Task<int> RunAsync(string? configFile, string? storeName, bool json, TimeProvider clock, CancellationToken cancel)
    {
        BackupConfig config = Composition.Config(configFile, cancel);
        BackupStore target = Composition.Stores(config, storeName)[0];
        IObjectStore store = target.Store;
        var catalog = new Catalog(store);
        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(cancel);
        DateTimeOffset now = clock.GetUtcNow();
        Dictionary<SnapshotId, (Manifest? Manifest, PgBackupException? Error)> read = await ReadNewestAsync(catalog, entries, cancel);
        RetentionPlan plan = RetentionPolicy.Plan(target.Keep, [.. BackupStore.Facts(entries).Select(f => f with { IsReadable = read.GetValueOrDefault(f.Id).Error is null, IsDisputed = read.GetValueOrDefault(f.Id).Manifest is { IsComplete: true } && !f.IsComplete })], now);
        Dictionary<SnapshotId, RetentionDecision> kept = plan.Decisions.ToDictionary(static d => d.Snapshot.Id);
        List<ListedSnapshot> listed = [.. entries.Select(e => Describe(e, read.GetValueOrDefault(e.Id), kept.GetValueOrDefault(e.Id), now))];
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(listed, AppJson.Readable.ListListedSnapshot));
            return 0;
        }

        if (entries.Count == 0)
        {
            Terminal.Line($"The store {store.Name} ({store.Location}) has no snapshots yet. `olympus-pgbackup` takes one.");
            return 0;
        }

        List<string[]> rows = [];
        foreach (ListedSnapshot snapshot in listed)
        {
            rows.Add(
            [
                snapshot.Id,
                Terminal.Age(TimeSpan.FromSeconds(snapshot.AgeSeconds ?? 0)),
                snapshot.Proven ? snapshot.State + ", proven" : snapshot.State,
                snapshot.Databases?.ToString(CultureInfo.InvariantCulture) ?? "",
                snapshot.Rows?.ToString("N0", CultureInfo.InvariantCulture) ?? "",
                snapshot.StoredBytes is { } bytes ? ByteSize.Text(bytes) : "",
                snapshot.Seconds is { } seconds ? Terminal.Span(seconds) : "",
                string.Join("; ", ((string?[])[snapshot.Failed.Count > 0 ? "failed: " + string.Join(", ", snapshot.Failed) : snapshot.Problem, snapshot.Kept]).Where(static t => t is not null)),
            ]);
        }

        Terminal.Table(["SNAPSHOT", "AGE", "STATE", "DATABASES", "ROWS", "STORED", "TOOK", "KEPT"], rows, 1, 3, 4, 5, 6);
        ShowFigures(target, plan);
        if (storeName is null)
        {
            await ShowOthersAsync(Composition.Stores(config).Skip(1), now, cancel);
        }

        return 0;
    }

    private static async Task ShowOthersAsync(IEnumerable<BackupStore> others, DateTimeOffset now, CancellationToken cancel)
    {
        foreach (BackupStore other in others)
        {
            try
            {
                IReadOnlyList<CatalogEntry> entries = await new Catalog(other.Store).ListAsync(cancel);
                ShowFigures(other, RetentionPolicy.Plan(other.Keep, BackupStore.Facts(entries), now));
            }
            catch (PgBackupException e)
            {
                Terminal.Message($"{other.Store.Name} ({other.Store.Location}) cannot be listed: {e.CodeText}: {e.Message}");
            }
        }
    }

    // What lies there and why, and what it comes to in the long run, by the size of the last snapshots.
    private static void ShowFigures(BackupStore target, RetentionPlan plan)
    {
        List<string> tiers = [];
        foreach (IGrouping<KeepReasonKind, RetentionDecision> tier in plan.Decisions.SelectMany(static d => d.Reasons.Select(r => (r.Kind, Decision: d)))
            .Where(static p => p.Kind <= KeepReasonKind.Pinned).GroupBy(static p => p.Kind, static p => p.Decision).OrderBy(static g => g.Key))
        {
            tiers.Add($"{tier.Key.ToString().ToLowerInvariant()} {tier.Count()} ({ByteSize.Text(tier.Sum(static d => d.Snapshot.Bytes))})");
        }

        int going = plan.Removed.Count();
        string gone = going == 0 ? "" : $"; {going} ({ByteSize.Text(plan.BytesFreed)}) no longer kept by any rule: the next run or `prune` removes them";
        Terminal.Line($"{plan.Decisions.Count} in {target.Store.Name} ({target.Store.Location}), {ByteSize.Text(plan.Decisions.Sum(static d => d.Snapshot.Bytes))}{(tiers.Count == 0 ? "" : ": " + string.Join(", ", tiers))}{gone}");
        List<RetainedSnapshot> last = [.. plan.Decisions.Select(static d => d.Snapshot).Where(static s => s.IsComplete).TakeLast(7)];
        if (last.Count > 0 && target.Keep.HasTiers)
        {
            StorageProjection projection = StorageProjection.Of(target.Keep, (long)last.Average(static s => s.Bytes));
            Terminal.Line(string.Create(
                CultureInfo.InvariantCulture,
                $"keeps {target.Keep}: one a night, at {ByteSize.Text((long)last.Average(static s => s.Bytes))} each, comes to {projection.Snapshots} snapshot{(projection.Snapshots == 1 ? "" : "s")}, {ByteSize.Text(projection.Bytes)}{(projection.SnapshotsPerYear > 0 ? $", and {projection.SnapshotsPerYear:0.#} ({ByteSize.Text(projection.BytesPerYear)}) more each year" : "")}"));
        }
    }

    // What a listing of names does not tell is read for the newest ones only: a store of ten years has thousands of manifests.
    private static async Task<Dictionary<SnapshotId, (Manifest? Manifest, PgBackupException? Error)>> ReadNewestAsync(
        Catalog catalog, IReadOnlyList<CatalogEntry> entries, CancellationToken cancel)
    {
        List<CatalogEntry> newest = [.. entries.TakeLast(Detailed)];
        (Manifest?, PgBackupException?)[] read = await Task.WhenAll(newest.Select(e => catalog.TryReadManifestAsync(e, cancel)));
        return newest.Zip(read).ToDictionary(static pair => pair.First.Id, static pair => pair.Second);
    }

    private static ListedSnapshot Describe(CatalogEntry entry, (Manifest? Manifest, PgBackupException? Error) read, RetentionDecision? decision, DateTimeOffset now)
    {
        (Manifest? manifest, PgBackupException? error) = read;
        return new ListedSnapshot
        {
            Id = entry.Id.ToString(),
            State = error is { Code: ErrorCode.ManifestTooNew } ? "newer version"
                : error is not null || entry.Unreadable is not null ? "unreadable"
                : entry.IsComplete && manifest is not { IsComplete: false } ? "complete"
                : entry.HasManifest ? "incomplete"
                : entry.IsLeftover ? "unfinished"
                : "no manifest",
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
            Problem = entry.Unreadable is { } why ? why
                : manifest is { IsComplete: true } && !entry.IsComplete ? $"its manifest is complete, and the mark {SnapshotLayout.Incomplete} says otherwise: `check` tells more"
                : error is not null ? $"{error.CodeText}: {error.Message}"
                : manifest is { LeftOut.Count: > 0 } ? "left out: " + string.Join(", ", manifest.LeftOut)
                : entry.HasManifest ? null
                : entry.IsLeftover ? "a run that was killed, or is under way; the next run removes it"
                : "no snapshot: its manifest is missing",
        };
    }
}
