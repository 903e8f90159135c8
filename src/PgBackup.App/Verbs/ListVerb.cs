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
        IReadOnlyList<CatalogEntry> entries = await new Catalog(store).ReadAsync(cancel);
        DateTimeOffset now = clock.GetUtcNow();
        if (json)
        {
            List<ListedSnapshot> listed = [.. entries.Select(e => Describe(e, now))];
            Terminal.Line(JsonSerializer.Serialize(listed, AppJson.Readable.ListListedSnapshot));
            return 0;
        }

        if (entries.Count == 0)
        {
            Terminal.Line($"The store {store.Name} ({store.Location}) has no snapshots yet. `olympus-pgbackup` takes one.");
            return 0;
        }

        List<string[]> rows = [];
        foreach (CatalogEntry entry in entries)
        {
            ListedSnapshot snapshot = Describe(entry, now);
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
        List<CatalogEntry> snapshots = [.. entries.Where(static e => e.Manifest is not null)];
        long total = snapshots.Sum(static e => e.Manifest!.StoredBytes);
        Terminal.Line($"{snapshots.Count} in {store.Name} ({store.Location}), {ByteSize.Text(total)}");
        return 0;
    }

    private static ListedSnapshot Describe(CatalogEntry entry, DateTimeOffset now)
    {
        double age = (now - entry.Id.Time).TotalSeconds;
        return entry.Manifest is { } manifest
            ? new ListedSnapshot
            {
                Id = entry.Id.ToString(),
                State = manifest.IsComplete ? "complete" : "incomplete",
                AgeSeconds = Math.Round(age),
                Databases = manifest.Databases.Count(),
                Rows = manifest.Databases.Sum(static p => p.Proof.Rows),
                StoredBytes = manifest.StoredBytes,
                Seconds = Math.Round((manifest.Finished - manifest.Started).TotalSeconds, 1),
                SkewMs = manifest.SkewMs,
                Failed = [.. manifest.Failures.Select(static f => f.Part)],
                Problem = manifest.LeftOut.Count > 0 ? "left out: " + string.Join(", ", manifest.LeftOut) : null,
            }
            : new ListedSnapshot
            {
                Id = entry.Id.ToString(),
                State = entry.Error is not null ? "unreadable" : entry.IsLeftover ? "unfinished" : "no manifest",
                AgeSeconds = Math.Round(age),
                Problem = entry.Error is { } error ? $"{error.CodeText}: {error.Message}"
                    : entry.IsLeftover ? "a run that was killed, or is under way; the next run removes it"
                    : "no snapshot: its manifest is missing",
            };
    }
}
