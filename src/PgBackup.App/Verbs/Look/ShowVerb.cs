using System.CommandLine;
using System.Globalization;
using System.Text;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Operations.Keys;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>show</c>: one snapshot in full.</summary>
internal static class ShowVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var id = new Argument<string>("ID") { HelpName = "ID", Description = "A snapshot's id, or latest", DefaultValueFactory = static _ => "latest" };
        id.CompletionSources.Add(static _ => Completions.Snapshots());
        var tables = new Option<bool>("--tables") { Description = "With every table: rows, bytes, digest" };
        var storeName = new Option<string?>("--store") { Description = "The store to look into (default: the first)", HelpName = "NAME" };
        var command = new Command("show", "One snapshot in full") { id, tables, storeName };
        command.SetAction(async (parsed, cancel) =>
        {
            BackupConfig config = Composition.Config(parsed.GetValue(options.Config), cancel);
            IObjectStore store = Composition.Store(config, parsed.GetValue(storeName));
            var catalog = new Catalog(store) { PassedOver = static line => Terminal.Message($"note: {line}") };
            (SnapshotId found, Manifest manifest) = await catalog.FindAsync(parsed.GetValue(id)!, cancel);
            if (parsed.GetValue(options.Json))
            {
                Terminal.Line(Encoding.UTF8.GetString(manifest.ToJson()));
            }
            else
            {
                Show(manifest, await catalog.ReadPinAsync(found, cancel), store, parsed.GetValue(tables));
            }

            return 0;
        });
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup show latest
            olympus-pgbackup show 20260301T030000Z --tables
            olympus-pgbackup show latest --json | jq .skew_ms
            """,
            """
            0  done
            1  no such snapshot, or its manifest cannot be read
            2  wrong usage or config
            """);
    }

    private static void Show(Manifest manifest, string? pin, IObjectStore store, bool tables)
    {
        string state = manifest.IsComplete ? "complete" : "INCOMPLETE";
        Terminal.Line($"snapshot    {manifest.Id}, {state}, of the cluster {manifest.Cluster}");
        Terminal.Line($"taken       {Time(manifest.Started)} to {Time(manifest.Finished)} ({Terminal.Span((manifest.Finished - manifest.Started).TotalSeconds)})");
        Terminal.Line($"from        {manifest.Source}, Postgres {manifest.ServerVersion}, pg_dump {manifest.DumpVersion}");
        Terminal.Line(string.Create(CultureInfo.InvariantCulture, $"one moment  all databases within {manifest.SkewMs:0.0} ms"));
        Terminal.Line($"in          {store.Name} ({store.Location}), {ByteSize.Text(manifest.StoredBytes)}");
        if (pin is not null)
        {
            Terminal.Line($"pinned      {pin}");
        }

        Terminal.Line($"encryption  {manifest.Encryption}");
        foreach (Recipient recipient in manifest.Recipients)
        {
            string name = recipient.Name == recipient.Fingerprint ? "" : $" ({recipient.Name})";
            string expires = recipient.Expires is { } at ? string.Create(CultureInfo.InvariantCulture, $", expires {at:yyyy-MM-dd}") : "";
            Terminal.Line($"  to        {recipient.Fingerprint}{name}{expires}");
        }

        Terminal.Line();
        List<string[]> rows = [];
        foreach (Part part in manifest.Parts)
        {
            rows.Add(
            [
                part.Database ?? "(roles)",
                part.Kind == Part.GlobalsKind ? "" : part.Proof.Tables.Count.ToString(CultureInfo.InvariantCulture),
                part.Kind == Part.GlobalsKind ? "" : part.Proof.Rows.ToString("N0", CultureInfo.InvariantCulture),
                part.Kind == Part.GlobalsKind ? "" : ByteSize.Text(part.Proof.Bytes),
                ByteSize.Text(part.Size),
                Terminal.Span(part.Seconds),
                part.Object,
            ]);
        }

        Terminal.Table(["PART", "TABLES", "ROWS", "DATA", "STORED", "TOOK", "OBJECT"], rows, 1, 2, 3, 4, 5);
        foreach (PartFailure failure in manifest.Failures)
        {
            Terminal.Line($"\nFAILED: {failure.Part} ({failure.Code}): {failure.Message}");
        }

        if (manifest.LeftOut.Count > 0)
        {
            Terminal.Line($"\nleft out on demand: {string.Join(", ", manifest.LeftOut)}");
        }

        foreach (string warning in manifest.Warnings)
        {
            Terminal.Line($"WARNING: {warning}");
        }

        foreach (string warning in KeyWarnings.Of(manifest.Recipients, TimeProvider.System.GetUtcNow()))
        {
            Terminal.Line($"note: {warning}");
        }

        foreach (string note in manifest.Notes.Concat(manifest.Parts.SelectMany(static p => p.Warnings.Select(w => $"{p.Database ?? p.Kind}: {w}"))))
        {
            Terminal.Line($"note: {note}");
        }

        if (tables)
        {
            foreach (Part part in manifest.Databases)
            {
                Terminal.Line($"\n{part.Database}: schema {part.Proof.Schema.Count} statements, {part.Proof.Sequences.Count} sequences, {part.Proof.LargeObjects.Rows} large objects");
                Terminal.Table(
                    ["TABLE", "ROWS", "BYTES", "DIGEST"],
                    [.. part.Proof.Tables.Select(static t => (IReadOnlyList<string>)
                        [t.Key, t.Value.Rows.ToString(CultureInfo.InvariantCulture), t.Value.Bytes.ToString(CultureInfo.InvariantCulture), t.Value.Digest[..16]])],
                    1, 2);
            }
        }
    }

    private static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
