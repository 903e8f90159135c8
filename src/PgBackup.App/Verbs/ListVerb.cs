using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.Configuration;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.App.Verbs;

/// <summary><c>list</c>: the catalog of a store.</summary>
internal static class ListVerb
{
    // With the listing itself (1,000 names a request), 1,000 snapshots take fewer than 20 requests.
    private const int Detailed = 6;

    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var storeName = new Option<string?>("--store") { Description = "The store to look into (default: the first)", HelpName = "NAME" };
        var command = new Command("list", "The snapshots of a store: id, age, complete or not, size") { storeName };
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
        BackupConfig config = Composition.Config(configFile);
        IObjectStore store = Composition.Store(config, storeName);
        var catalog = new Catalog(store);
        IReadOnlyList<CatalogEntry> entries = await catalog.ListAsync(cancel);
        DateTimeOffset now = clock.GetUtcNow();
        ListedSnapshot[] listed = await Task.WhenAll(entries.Select((e, i) => DescribeAsync(catalog, e, entries.Count - i <= Detailed, now, cancel)));
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize([.. listed], AppJson.Readable.ListListedSnapshot));
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
                snapshot.State,
                snapshot.Databases?.ToString(CultureInfo.InvariantCulture) ?? "",
                snapshot.Rows?.ToString("N0", CultureInfo.InvariantCulture) ?? "",
                snapshot.StoredBytes is { } bytes ? ByteSize.Text(bytes) : "",
                snapshot.Seconds is { } seconds ? Terminal.Span(seconds) : "",
                snapshot.Failed.Count > 0 ? "failed: " + string.Join(", ", snapshot.Failed) : snapshot.Problem ?? "",
            ]);
        }

        Terminal.Table(["SNAPSHOT", "AGE", "STATE", "DATABASES", "ROWS", "STORED", "TOOK", ""], rows, 1, 3, 4, 5, 6);
        List<CatalogEntry> snapshots = [.. entries.Where(static e => e.HasManifest)];
        Terminal.Line($"{snapshots.Count} in {store.Name} ({store.Location}), {ByteSize.Text(snapshots.Sum(static e => e.Bytes))}");
        return 0;
    }

    // What a listing of names does not tell is read for the newest ones only: a store of ten years has thousands of manifests.
    private static async Task<ListedSnapshot> DescribeAsync(Catalog catalog, CatalogEntry entry, bool detailed, DateTimeOffset now, CancellationToken cancel)
    {
        (Manifest? manifest, PgBackupException? error) = detailed ? await catalog.TryReadManifestAsync(entry, cancel) : (null, null);
        return new ListedSnapshot
        {
            Id = entry.Id.ToString(),
            State = error is not null ? "unreadable"
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
            Failed = manifest is null ? [] : [.. manifest.Failures.Select(static f => f.Part)],
            Problem = error is not null ? $"{error.CodeText}: {error.Message}"
                : manifest is { LeftOut.Count: > 0 } ? "left out: " + string.Join(", ", manifest.LeftOut)
                : entry.HasManifest ? null
                : entry.IsLeftover ? "a run that was killed, or is under way; the next run removes it"
                : "no snapshot: its manifest is missing",
        };
    }
}
