using System.Text;
using System.Text.Json;
using PgBackup.Operations.Status;

namespace PgBackup.Serve.Http;

/// <summary>The answer of <c>/healthz</c>. Pure.</summary>
internal static class HealthText
{
    private const int Good = 200;
    private const int Bad = 503;

    // What a monitor shows in a line or two.
    private const int Most = 10;

    /// <summary>Green and yellow are fresh; red is not, nor is what nobody could find out.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="report">How the backups stand; null where that is not known.</param>
    public static (int Code, byte[] Body) Of(string cluster, StatusReport? report)
    {
        StatusLevel level = report?.Level ?? StatusLevel.Unknown;
        using var body = new MemoryStream();
        using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("cluster", cluster);
            json.WriteString("level", level.Word());
            if (report is not null)
            {
                json.WriteString("time", report.Time.UtcDateTime);
                if (report.Figures.NewestComplete is { } newest)
                {
                    json.WriteNumber("newest_complete_age_seconds", Math.Round(newest.AgeSeconds));
                }

                json.WriteStartArray("findings");
                foreach (Finding finding in report.Findings.Where(static f => f.Severity >= Severity.Warning).Take(Most))
                {
                    json.WriteStringValue($"{PgBackupException.CodeTextOf(finding.Code)}: {Foreign.Line(finding.What)}");
                }

                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        body.Write(Encoding.UTF8.GetBytes("\n"));
        return (level is StatusLevel.Green or StatusLevel.Yellow ? Good : Bad, body.ToArray());
    }
}
