using System.Globalization;
using System.Text;

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
        CultureInfo plain = CultureInfo.InvariantCulture;
        bool restored = report.Databases.Count > 0;
        bool found = report.ServerVersion != DrillReport.Unknown;
        text.Append(plain, $"# Restore drill {report.Started:yyyy-MM-dd HH:mm} UTC: {(report.Passed ? "PASSED" : "FAILED")}\n\n");
        text.Append(plain, $"The snapshot {Cell(report.Snapshot)} of the cluster {Cell(report.Cluster)} (Postgres {Cell(report.ServerVersion)}) was {(restored ? "" : "to be ")}restored from the store {Cell(report.Store)} ({Cell(report.Location)})\n");
        text.Append(plain, $"into {Cell(report.Target)}, on the host {Cell(report.Host)}, by olympus-pgbackup {Cell(report.Tool)}.\n\n");
        foreach (string failure in report.Failures)
        {
            text.Append(plain, $"- **FAILED**: {Cell(failure)}\n");
        }

        text.Append(report.Failures.Count > 0 ? "\n" : "");
        text.Append("## Times\n\n| | measured | allowed | |\n|---|---|---|---|\n");
        text.Append(plain, $"| restore (RTO) | {(restored ? Span(report.RestoreSeconds) : "not restored")} | {Span(report.RtoSeconds)} | {Verdict(restored && report.RestoreSeconds <= report.RtoSeconds)} |\n");
        text.Append(plain, $"| age of the data (RPO) | {(found ? Span(report.DataAgeSeconds) : "not known")} | {Span(report.RpoSeconds)} | {Verdict(found && report.DataAgeSeconds <= report.RpoSeconds)} |\n");
        text.Append(plain, $"| restore, and the rest deployed (by the operator's figure of {Span(report.RedeploySeconds)}) | {(restored ? Span(report.RecoverySeconds) : "")} | {Span(report.RtoSeconds + report.RedeploySeconds)} | |\n\n");
        text.Append("| phase | seconds |\n|---|---:|\n");
        foreach (DrillPhase phase in report.Phases)
        {
            text.Append(plain, $"| {Cell(phase.Name)} | {phase.Seconds:0.0} |\n");
        }

        text.Append(plain, $"| in all | {report.Phases.Sum(static p => p.Seconds):0.0} |\n\n");
        text.Append("## Databases, compared with the proof of the snapshot\n\n| database | tables | rows | restore | compare | verdict |\n|---|---:|---:|---:|---:|---|\n");
        foreach (DrillDatabase database in report.Databases)
        {
            text.Append(plain, $"| {Cell(database.Name)} | {database.Tables} | {database.Rows} | {database.RestoreSeconds:0.0} s | {database.CompareSeconds:0.0} s | {Cell(database.Verdict)} |\n");
        }

        foreach (DrillDatabase database in report.Databases.Where(static d => d.Problems.Count > 0))
        {
            text.Append(plain, $"\n{Cell(database.Name)}:\n\n");
            foreach (string problem in database.Problems)
            {
                text.Append(plain, $"- {Cell(problem)}\n");
            }
        }

        text.Append("\n## Checks\n\n| database | question | answer | expected | |\n|---|---|---|---|---|\n");
        foreach (DrillCheck check in report.Checks)
        {
            text.Append(plain, $"| {Cell(check.Database)} | {Cell(check.Name)} | {Cell(check.Problem ?? check.Answer ?? "nothing")} | {Cell(check.Expected ?? "")} | {(check.Expected is null ? "" : Verdict(check.Passed))} |\n");
        }

        WriteApplicationKeys(text, report.ApplicationKeys);
        text.Append("\n## Keys\n\n");
        WriteKeys(text, report, restored);
        if (report.Notes.Count > 0)
        {
            text.Append("\n## Notes\n\n");
            foreach (string note in report.Notes)
            {
                text.Append(plain, $"- {Cell(note)}\n");
            }
        }

        text.Append("\n## The last drills\n\n| drill | snapshot | store | restore | result |\n|---|---|---|---:|---|\n");
        foreach (DrillReport one in earlier.Prepend(report).Take(12))
        {
            text.Append(plain, $"| {one.Started:yyyy-MM-dd HH:mm} | {Cell(one.Snapshot)} | {Cell(one.Store)} | {(one.Databases.Count > 0 ? Span(one.RestoreSeconds) : "none")} | {(one.Passed ? "passed" : "FAILED")} |\n");
        }

        return text.ToString();
    }

    private static void WriteKeys(StringBuilder text, DrillReport report, bool restored)
    {
        CultureInfo plain = CultureInfo.InvariantCulture;
        if (report.Recipients.Count == 0)
        {
            text.Append(plain, $"Encryption: {Cell(report.Encryption)}.\n");
            return;
        }

        text.Append(restored && report.DecryptedBy.Count > 0 ? $"Decrypted with the private key of {string.Join(" and of ", report.DecryptedBy.Select(static f => $"`{Code(f)}`"))}. It can be decrypted with the one of each of these:\n\n"
            : $"{(restored ? "Decrypted with" : "To be decrypted with")} the private key of one of these:\n\n");
        foreach (var recipient in report.Recipients)
        {
            string tested = report.KeysTested.TryGetValue(recipient.Fingerprint, out DateTimeOffset last) ? string.Create(plain, $"last tested {last:yyyy-MM-dd}") : "never tested";
            text.Append(plain, $"- `{Code(recipient.Fingerprint)}` ({Cell(recipient.Name)}){(recipient.Expires is { } expires ? $", expires {expires:yyyy-MM-dd}" : "")}, {tested}\n");
        }
    }

    private static void WriteApplicationKeys(StringBuilder text, IReadOnlyList<DrillKey> keys)
    {
        text.Append("\n## Application keys\n\n");
        if (keys.Count == 0)
        {
            text.Append("Whether the applications can decrypt what they stored encrypted, with the keys in your secret store, was not tested.\n");
            return;
        }

        text.Append("Do the keys in your secret store decrypt what the applications stored encrypted?\n\n| service | database | table | encrypted values | verdict | |\n|---|---|---|---:|---|---|\n");
        foreach (DrillKey key in keys)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {Cell(key.Service)} | {Cell(key.Database)} | {Cell(key.Table)} | {key.Values} | {(key.Passed ? Cell(key.Verdict) : $"**{Cell(key.Verdict)}**")} | {Cell(key.Detail)} |\n");
        }
    }

    private static string Verdict(bool right) => right ? "ok" : "**NO**";

    private static string Span(double seconds) => seconds < 120
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s")
        : seconds < 7200 ? string.Create(CultureInfo.InvariantCulture, $"{(int)seconds / 60} min {(int)seconds % 60} s")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:0.0} h");

    private static string Cell(string text) => Foreign.Markdown(text);

    // Within backquotes nothing is escaped.
    private static string Code(string text) => Foreign.Line(text).Replace('`', '\'');
}
