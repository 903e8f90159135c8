using System.CommandLine;
using System.Globalization;
using System.Text;
using PgBackup.App.Render;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Installations;
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
        Argument<string> id = VerbOptions.Snapshot();
        var tables = new Option<bool>("--tables") { Description = "Also show every table: rows, bytes, digest" };
        Option<string?> storeName = VerbOptions.Store("The store to look into (default: the first)");
        var command = new VerbCommand("show", "Shows one snapshot in full")
        {
            Examples = """
                olympus-pgbackup show latest
                olympus-pgbackup show 20260301T030000Z --tables
                olympus-pgbackup show latest --json | jq .skew_ms
                """,
            ExitCodes = """
                0  done
                1  no such snapshot, or its manifest cannot be read
                2  wrong usage or config
                """,
        };
        command.Add(id);
        command.Add(tables);
        command.Add(storeName);
        command.SetAction(
            (parsed, cancel) =>
            {
                Installation installation = options.ReadStores(parsed, cancel);
                Catalog catalog = installation.CatalogOf(
                    installation.Store(parsed.GetValue(storeName)).Store,
                    static finding => FindingText.Message([finding])
                );
                return RunAsync(
                    installation,
                    catalog,
                    SnapshotRef.Parse(parsed.GetValue(id)!),
                    parsed.GetValue(tables),
                    parsed.GetValue(options.Json),
                    cancel
                );
            }
        );
        return command;
    }

    private static async Task<int> RunAsync(
        Installation installation,
        Catalog catalog,
        SnapshotRef id,
        bool tables,
        bool json,
        CancellationToken cancel
    )
    {
        (SnapshotId found, Manifest manifest) = await catalog.FindAsync(id, cancel);
        if (json)
        {
            Terminal.Line(Encoding.UTF8.GetString(manifest.ToJson()));
            return 0;
        }

        ShowHead(manifest, await catalog.ReadPinAsync(found, cancel), catalog.Store);
        ShowParts(manifest.Parts);
        ShowProblems(manifest, installation.Clock.GetUtcNow());
        if (manifest.Losses.Count > 0)
        {
            FindingText.Line((await installation.Losses().OfAsync(manifest, cancel)).Findings);
        }

        if (tables)
        {
            ShowTables(manifest);
        }

        return 0;
    }

    private static void ShowHead(Manifest manifest, string? pin, IObjectStore store)
    {
        string state = manifest.IsComplete ? "complete" : "INCOMPLETE";
        Terminal.Line($"snapshot    {manifest.Id}, {state}, of the cluster {manifest.Cluster}");
        Terminal.Line(
            $"taken       {Time(manifest.Started)} to {Time(manifest.Finished)} "
                + $"({Terminal.Span((manifest.Finished - manifest.Started).TotalSeconds)})"
        );
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
    }

    private static void ShowParts(IReadOnlyList<Part> parts)
    {
        List<string[]> rows = [];
        foreach (Part part in parts)
        {
            rows.Add([
                part.Database ?? "(roles)",
                part.Kind == PartKind.Globals ? "" : part.Proof.Tables.Count.ToString(CultureInfo.InvariantCulture),
                part.Kind == PartKind.Globals ? "" : part.Proof.Rows.ToString("N0", CultureInfo.InvariantCulture),
                part.Kind == PartKind.Globals ? "" : ByteSize.Text(part.Proof.Bytes),
                ByteSize.Text(part.Size),
                Terminal.Span(part.Seconds),
                part.Object,
            ]);
        }

        Terminal.Table(["PART", "TABLES", "ROWS", "DATA", "STORED", "TOOK", "OBJECT"], rows, 1, 2, 3, 4, 5);
    }

    private static void ShowProblems(Manifest manifest, DateTimeOffset now)
    {
        foreach (PartFailure failure in manifest.Failures)
        {
            Terminal.Line($"\nFAILED: {failure.Part} ({failure.Code}): {failure.Message}");
        }

        if (manifest.LeftOut.Count > 0)
        {
            Terminal.Line($"\nleft out on demand: {string.Join(", ", manifest.LeftOut)}");
        }

        FindingText.Line(manifest.AllFindings);
        FindingText.Line(KeyFindings.Of(manifest.Recipients, now));

        foreach (string note in manifest.Notes.Concat(manifest.Parts.SelectMany(static p => p.Warnings.Select(w => $"{p.Name}: {w}"))))
        {
            Terminal.Line($"note: {note}");
        }
    }

    private static void ShowTables(Manifest manifest)
    {
        foreach (Part part in manifest.Databases)
        {
            Terminal.Line(
                $"\n{part.Database}: schema {part.Proof.Schema.Count} statements, {part.Proof.Sequences.Count} sequences, "
                    + $"{part.Proof.LargeObjects.Rows} large objects"
            );
            Terminal.Table(
                ["TABLE", "ROWS", "BYTES", "DIGEST"],
                [
                    .. part.Proof.Tables.Select(static t =>
                        (IReadOnlyList<string>)
                            [
                                t.Key,
                                t.Value.Rows.ToString(CultureInfo.InvariantCulture),
                                t.Value.Bytes.ToString(CultureInfo.InvariantCulture),
                                t.Value.Digest[..16],
                            ]
                    ),
                ],
                1,
                2
            );
        }
    }

    private static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
