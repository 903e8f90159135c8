using System.Globalization;
using System.Text;
using PgBackup.Operations.Restore;

namespace PgBackup.Operations.Drill;

/// <summary>Writes the readable report of a drill, <c>drills/TIME.md</c>.</summary>
public static class DrillText
{
    /// <summary>The text.</summary>
    /// <param name="report">The drill.</param>
    /// <param name="earlier">Earlier drills of the store, newest first, for the trend.</param>
    public static string Write(DrillReport report, IReadOnlyList<DrillReport> earlier)
    {
        var text = new StringBuilder();
        WriteOutcome(text, report);
        WriteTimes(text, report);
        WriteDatabases(text, report.Databases);
        WriteChecks(text, report.Questions);
        WriteApplicationKeys(text, report.ApplicationKeys);
        WriteKeys(text, report);
        WriteNotes(text, report.Notes);
        WriteHistory(text, earlier.Prepend(report).Take(12));
        return text.ToString();
    }

    private static void WriteOutcome(StringBuilder text, DrillReport report)
    {
        CultureInfo plain = CultureInfo.InvariantCulture;
        text.Append(plain, $"# Restore drill {report.Started:yyyy-MM-dd HH:mm} UTC: {(report.Passed ? "PASSED" : "FAILED")}\n\n");
        text.Append(
            plain,
            $"The snapshot {Cell(report.Snapshot)} of the cluster {Cell(report.Cluster)} (Postgres {Cell(report.ServerVersion)}) was "
                + $"{(IsRestored(report) ? "" : "to be ")}restored from the store {Cell(report.Store)} ({Cell(report.Location)})\n"
        );
        text.Append(plain, $"into {Cell(report.Target)}, on the host {Cell(report.Host)}, by olympus-pgbackup {Cell(report.Tool)}.\n\n");
        foreach (Finding failure in report.Failures)
        {
            text.Append(plain, $"- **FAILED**: {Cell(failure.Line)}\n");
        }

        text.Append(report.Failures.Count > 0 ? "\n" : "");
    }

    private static void WriteTimes(StringBuilder text, DrillReport report)
    {
        CultureInfo plain = CultureInfo.InvariantCulture;
        bool restored = IsRestored(report);
        bool found = report.ServerVersion != DrillReport.Unknown;
        text.Append("## Times\n\n| | measured | allowed | |\n|---|---|---|---|\n");
        text.Append(
            plain,
            $"| restore (RTO) | {(restored ? Span(report.RestoreSeconds) : "not restored")} | {Span(report.RtoSeconds)} | "
                + $"{Verdict(restored && report.RestoreSeconds <= report.RtoSeconds)} |\n"
        );
        text.Append(
            plain,
            $"| age of the data (RPO) | {(found ? Span(report.DataAgeSeconds) : "not known")} | {Span(report.RpoSeconds)} | "
                + $"{Verdict(found && report.DataAgeSeconds <= report.RpoSeconds)} |\n"
        );
        text.Append(
            plain,
            $"| restore, and deploying the rest (the operator's estimate: {Span(report.RedeploySeconds)}) | "
                + $"{(restored ? Span(report.RecoverySeconds) : "")} | {Span(report.RtoSeconds + report.RedeploySeconds)} | |\n\n"
        );
        text.Append("| phase | seconds |\n|---|---:|\n");
        foreach (DrillPhase phase in report.Phases)
        {
            text.Append(plain, $"| {Cell(phase.Name)} | {phase.Seconds:0.0} |\n");
        }

        text.Append(plain, $"| in all | {report.Phases.Sum(static p => p.Seconds):0.0} |\n\n");
    }

    private static void WriteDatabases(StringBuilder text, IReadOnlyList<DrillDatabase> databases)
    {
        CultureInfo plain = CultureInfo.InvariantCulture;
        text.Append(
            "## Databases, compared with the proof of the snapshot\n\n| database | tables | rows | restore | compare | verdict "
                + "|\n|---|---:|---:|---:|---:|---|\n"
        );
        foreach (DrillDatabase database in databases)
        {
            text.Append(
                plain,
                $"| {Cell(database.Name)} | {database.Tables} | {database.Rows} | {database.RestoreSeconds:0.0} s | "
                    + $"{database.CompareSeconds:0.0} s | {database.Verdict.Word()} |\n"
            );
        }

        foreach (DrillDatabase database in databases.Where(static d => d.Problems.Count > 0))
        {
            text.Append(plain, $"\n{Cell(database.Name)}:\n\n");
            foreach (string problem in database.Problems)
            {
                text.Append(plain, $"- {Cell(problem)}\n");
            }
        }
    }

    private static void WriteChecks(StringBuilder text, IReadOnlyList<DrillQuestion> checks)
    {
        text.Append("\n## Checks\n\n| database | question | answer | expected | |\n|---|---|---|---|---|\n");
        foreach (DrillQuestion check in checks)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {Cell(check.Database)} | {Cell(check.Name)} | {Cell(check.Problem ?? check.Answer ?? "nothing")} | "
                    + $"{Cell(check.Expected ?? "")} | {(check.Expected is null ? "" : Verdict(check.Passed))} |\n"
            );
        }
    }

    private static void WriteApplicationKeys(StringBuilder text, IReadOnlyList<SecretTest> keys)
    {
        text.Append("\n## Application keys\n\n");
        if (keys.Count == 0)
        {
            text.Append(
                "Whether the applications can decrypt what they stored encrypted, with the keys in your secret store, was not tested.\n"
            );
            return;
        }

        text.Append(
            "Do the keys in your secret store decrypt what the applications stored encrypted?\n\n| service | database | table | "
                + "encrypted values | verdict | |\n|---|---|---|---:|---|---|\n"
        );
        foreach (SecretTest key in keys)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {Cell(key.Service)} | {Cell(key.Database)} | {Cell(key.Table)} | {key.Values} | "
                    + $"{(key.Passed ? key.Verdict.Word() : $"**{key.Verdict.Word()}**")} | {Cell(key.Detail)} |\n"
            );
        }
    }

    private static void WriteKeys(StringBuilder text, DrillReport report)
    {
        CultureInfo plain = CultureInfo.InvariantCulture;
        bool restored = IsRestored(report);
        text.Append("\n## Keys\n\n");
        if (report.Recipients.Count == 0)
        {
            text.Append(plain, $"Encryption: {Cell(report.Encryption)}.\n");
            return;
        }

        text.Append(
            restored && report.DecryptedBy.Count > 0
                ? $"Decrypted with the private key of "
                    + $"{string.Join(" and of ", report.DecryptedBy.Select(static f => $"`{Code(f)}`"))}. It can be decrypted with "
                    + $"the one of each of these:\n\n"
                : $"{(restored ? "Decrypted with" : "To be decrypted with")} the private key of one of these:\n\n"
        );
        foreach (var recipient in report.Recipients)
        {
            string tested = report.KeysTested.TryGetValue(recipient.Fingerprint, out DateTimeOffset last)
                ? string.Create(plain, $"last tested {last:yyyy-MM-dd}")
                : "never tested";
            text.Append(
                plain,
                $"- `{Code(recipient.Fingerprint)}` "
                    + $"({Cell(recipient.Name)}){(recipient.Expires is { } expires ? $", expires {expires:yyyy-MM-dd}" : "")}, {tested}\n"
            );
        }
    }

    private static void WriteNotes(StringBuilder text, IReadOnlyList<Finding> notes)
    {
        if (notes.Count == 0)
        {
            return;
        }

        text.Append("\n## Notes\n\n");
        foreach (Finding note in notes)
        {
            text.Append(CultureInfo.InvariantCulture, $"- {(note.Severity == Severity.Warning ? "**WARNING**: " : "")}{Cell(note.Line)}\n");
        }
    }

    private static void WriteHistory(StringBuilder text, IEnumerable<DrillReport> drills)
    {
        text.Append("\n## The last drills\n\n| drill | snapshot | store | restore | result |\n|---|---|---|---:|---|\n");
        foreach (DrillReport one in drills)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {one.Started:yyyy-MM-dd HH:mm} | {Cell(one.Snapshot)} | {Cell(one.Store)} | "
                    + $"{(IsRestored(one) ? Span(one.RestoreSeconds) : "none")} | {(one.Passed ? "passed" : "FAILED")} |\n"
            );
        }
    }

    private static bool IsRestored(DrillReport report) => report.Databases.Count > 0;

    private static string Verdict(bool right) => right ? "ok" : "**NO**";

    private static string Span(double seconds) =>
        seconds < 120 ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s")
        : seconds < 7200 ? string.Create(CultureInfo.InvariantCulture, $"{(int)seconds / 60} min {(int)seconds % 60} s")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:0.0} h");

    private static string Cell(string text) => Foreign.Markdown(text);

    // Within backquotes nothing is escaped.
    private static string Code(string text) => Foreign.Line(text).Replace('`', '\'');
}
