using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Host;
using PgBackup.Installations;
using PgBackup.Operations.Diff;
using PgBackup.Proofs;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>diff</c>: what changed between two snapshots, or since one.</summary>
internal static class DiffVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var own = new DiffOptions();
        var command = new VerbCommand(
            "diff",
            "Shows what changed between two snapshots, or since one: by database and table, in rows and bytes"
        )
        {
            Examples = """
                olympus-pgbackup diff                            the last two complete snapshots
                olympus-pgbackup diff latest live                what was written since the last one; stores nothing
                olympus-pgbackup diff 20260301T030000Z latest --database ciam_kratos --all
                olympus-pgbackup diff --json | jq '.databases[] | select(.change != "same") | .database'
                """,
            ExitCodes = """
                0  compared, whether anything changed or not
                1  no such snapshot, or a manifest or a live database cannot be read
                2  wrong usage or config
                """,
        };
        own.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(options, own, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(GlobalOptions options, DiffOptions own, ParseResult parsed, CancellationToken cancel)
    {
        DiffRequest request = own.Read(parsed);
        request.RequireTwo();
        Installation installation =
            request.From.IsLive || request.To.IsLive ? options.ReadForBackup(parsed, cancel) : options.ReadStores(parsed, cancel);
        IObjectStore store = installation.Store(parsed.GetValue(own.Store)).Store;
        DiffReport report = await ProgressDisplay.ShowAsync(
            installation.Clock,
            progress => installation.Diff(store, progress).RunAsync(request, cancel)
        );
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.DiffReport));
        }
        else
        {
            Show(report);
        }

        string[] failed = [.. report.Failed.Select(static d => d.Database)];
        return failed.Length == 0
            ? 0
            : Terminal.Fail(
                new PgBackupException(
                    ErrorCode.DiffIncomplete,
                    $"not everything could be compared: {string.Join(", ", failed)} cannot be read.",
                    "The reasons are above; the next backup would meet them too."
                )
            );
    }

    private static void Show(DiffReport report)
    {
        Terminal.Line($"from  {Describe(report.From)}");
        Terminal.Line($"to    {Describe(report.To)}, {Distance(report.To.Time - report.From.Time)}");
        foreach (DatabaseDiff database in report.Databases)
        {
            Terminal.Line();
            Show(database, report);
        }

        if (report.RolesChanged is true)
        {
            Terminal.Line("\nroles: changed");
        }

        Terminal.Line($"\n{Summary(report)}");
        if (report.Note is { } note)
        {
            Terminal.Line($"note: {note}");
        }
    }

    private static void Show(DatabaseDiff database, DiffReport report)
    {
        switch (database.Change)
        {
            case DatabaseDiff.New or DatabaseDiff.Gone:
                bool isNew = database.Change == DatabaseDiff.New;
                Terminal.Line(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{database.Database}: {(isNew ? "new, only in" : "gone, only in")} {(isNew ? report.To : report.From).Name} "
                            + $"({(isNew ? database.TablesAfter : database.TablesBefore)} tables, "
                            + $"{(isNew ? database.RowsAfter : database.RowsBefore):N0} rows)"
                    )
                );
                return;
            case DatabaseDiff.Unknown:
                Terminal.Line($"{database.Database}: not compared: {database.Problem ?? database.Why}");
                return;
        }

        int differ = database.Tables.Count(static t => t.Change != TableDiff.Same);
        int? tables = database.TablesAfter + database.Tables.Count(static t => t.Change == TableDiff.Gone);
        Terminal.Line(
            database.Change == DatabaseDiff.Same
                ? string.Create(
                    CultureInfo.InvariantCulture,
                    $"{database.Database}: the same ({database.TablesAfter} tables, {database.RowsAfter:N0} "
                        + $"rows{(database.SchemaChanged is null ? "; the schema was not compared: another major version" : "")})"
                )
                : $"{database.Database}: {differ} of {tables} tables changed{Schema(database)}"
        );
        TableDiff[] shown = [.. database.Tables, .. database.LargeObjects is { } objects ? [objects] : Array.Empty<TableDiff>()];
        if (shown.Length > 0)
        {
            Terminal.Table(
                ["  TABLE", "CHANGE", "ROWS", "AFTER", "DELTA", "BYTES", "AFTER", "DELTA"],
                [.. shown.Select(Row)],
                2,
                3,
                4,
                5,
                6,
                7
            );
        }

        foreach (SequenceDiff sequence in database.Sequences)
        {
            Terminal.Line($"  sequence {sequence.Name}: {State(sequence.Before)} -> {State(sequence.After)}");
        }

        if (database.SettingsChanged is true)
        {
            Terminal.Line("  owner, privileges, settings or comment of the database itself: changed");
        }
    }

    private static IReadOnlyList<string> Row(TableDiff table) =>
        [
            "  " + table.Name,
            table.Change,
            Number(table.RowsBefore),
            Number(table.RowsAfter),
            Delta(table.RowsDelta, static n => n.ToString("N0", CultureInfo.InvariantCulture)),
            Size(table.BytesBefore),
            Size(table.BytesAfter),
            Delta(table.BytesDelta, ByteSize.Text),
        ];

    private static string Schema(DatabaseDiff database) =>
        database.SchemaChanged switch
        {
            null => "; the schema was not compared: another major version",
            true => ", and the schema",
            _ => "; the schema is the same",
        };

    // last_value,is_called: 42 is the last one that was given out, or will be the first.
    private static string State(string? state) =>
        state is null ? "none"
        : state.Split(',') is [string value, string called] ? (called == "true" ? value : value + " (not used yet)")
        : state;

    private static string Summary(DiffReport report)
    {
        TableDiff[] tables = [.. report.Databases.SelectMany(static d => d.Tables)];
        List<string> words = [];
        Add(report.Databases.Count(static d => d.Change == DatabaseDiff.Same), "the same");
        Add(report.Databases.Count(static d => d.Change == DatabaseDiff.Changed), "changed");
        Add(report.Databases.Count(static d => d.Change == DatabaseDiff.New), "new");
        Add(report.Databases.Count(static d => d.Change == DatabaseDiff.Gone), "gone");
        Add(report.Databases.Count(static d => d.Change == DatabaseDiff.Unknown), "not compared");
        DatabaseDiff[] both = [.. report.Databases.Where(static d => d.RowsBefore is not null && d.RowsAfter is not null)];
        long rowsMore = both.Sum(static d => d.RowsAfter!.Value - d.RowsBefore!.Value);
        long bytesMore = both.Sum(static d => d.BytesAfter!.Value - d.BytesBefore!.Value);
        string rows = Delta(rowsMore, static n => n.ToString("N0", CultureInfo.InvariantCulture));
        string roles = report.RolesChanged switch
        {
            null => "",
            true => "; the roles changed",
            _ => "; the roles are the same",
        };
        return $"{Words.Count(report.Databases.Count, "database")}: {string.Join(", ", words)}; tables: {Count(TableDiff.Changed)} "
            + $"changed, "
            + $"{Count(TableDiff.New)} new, {Count(TableDiff.Gone)} gone; {rows} rows, {Delta(bytesMore, ByteSize.Text)}{roles}";

        void Add(int count, string what)
        {
            if (count > 0)
            {
                words.Add($"{count} {what}");
            }
        }

        int Count(string change) => tables.Count(t => t.Change == change);
    }

    private static string Describe(DiffSide side) => $"{side.Name}, {side.Place}, Postgres {side.ServerVersion}";

    private static string Distance(TimeSpan later) =>
        later < TimeSpan.Zero ? $"{Terminal.Age(-later)} earlier" : $"{Terminal.Age(later)} later";

    private static string Number(long? value) => value is { } number ? number.ToString("N0", CultureInfo.InvariantCulture) : "";

    private static string Size(long? value) => value is { } bytes ? ByteSize.Text(bytes) : "";

    private static string Delta(long value, Func<long, string> text) =>
        value switch
        {
            > 0 => "+" + text(value),
            < 0 => "-" + text(-value),
            _ => "0",
        };
}
