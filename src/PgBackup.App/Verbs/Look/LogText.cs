using System.Globalization;
using PgBackup.App.Render;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Look;

/// <summary>Records for people. What they say comes from stores: it is shown in one line, and cut.</summary>
internal static class LogText
{
    private const int LongestWho = 60;
    private const int LongestWhat = 200;

    /// <summary>Prints a line for each.</summary>
    public static void ShowTable(IReadOnlyList<RecordEntry> entries)
    {
        if (entries.Count == 0)
        {
            Terminal.Line("There are no records.");
            return;
        }

        Terminal.Table(["TIME", "KIND", "RESULT", "WHO", "WHAT"], [.. entries.Select(Row)]);
    }

    /// <summary>Prints one whole.</summary>
    public static void ShowOne(RecordEntry entry)
    {
        Field("record", entry.Name.Name);
        Field("in", string.Join(", ", entry.Stores));
        if (entry.Record is not { } record)
        {
            Terminal.Line("It cannot be read: it is damaged, far too large, or of a newer version.");
            return;
        }

        Field("kind", record.Kind.Word());
        Field("result", record.Result.Word());
        Field("what", record.Summary);
        Field("cluster", record.Cluster);
        Field("snapshot", record.Snapshot);
        Field("store", record.Store);
        Field("began", Time(record.Started));
        Field("ended", $"{Time(record.Finished)} ({Terminal.Span(Math.Max(0, (record.Finished - record.Started).TotalSeconds))})");
        Field("user", record.User);
        Field("host", record.Host);
        Field("note", record.Note);
        Field("program", $"olympus-pgbackup {record.Tool}{(record.Binary is { } digest ? $", SHA-256 {digest}" : "")}");
        foreach (Loss loss in record.Confirmed)
        {
            Field("confirmed", LossFindings.Of(loss, record.Snapshot ?? "", isConfirmed: true).Fact);
        }

        foreach (Finding finding in record.Findings)
        {
            Terminal.Line(Terminal.InOneLine(FindingText.Of(finding)));
        }

        if (record.FindingsOmitted > 0)
        {
            Terminal.Line($"and {Words.Count(record.FindingsOmitted, "finding")} more, for which the record had no room");
        }
    }

    private static IReadOnlyList<string> Row(RecordEntry entry) =>
        entry.Record is not { } record
            ? [SnapshotId.At(entry.Name.Time).ToString(), entry.Name.Kind.Word(), "cannot be read", "", entry.Name.Name]
            :
            [
                SnapshotId.At(entry.Name.Time).ToString(),
                record.Kind.Word(),
                record.Result.Word(),
                Cut(Who(record), LongestWho),
                Cut(record.Note is { Length: > 0 } note ? $"{record.Summary}: {note}" : record.Summary, LongestWhat),
            ];

    private static string Who(Record record) =>
        string.Join(" on ", ((string?[])[record.User, record.Host]).Where(static w => !string.IsNullOrEmpty(w)));

    private static void Field(string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            Terminal.Line($"{name, -10} {Terminal.InOneLine(value)}");
        }
    }

    private static string Cut(string text, int longest) =>
        text.Length <= longest ? text : $"{text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)]}...";

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
