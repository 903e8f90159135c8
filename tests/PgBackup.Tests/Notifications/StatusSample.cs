using PgBackup.Operations.Status;

namespace PgBackup.Tests.Notifications;

/// <summary>A status for tests of what is made of one.</summary>
internal static class StatusSample
{
    public static StatusReport Of(StatusLevel level, params Finding[] findings) =>
        new()
        {
            Format = StatusReport.CurrentFormat,
            Cluster = "olympus",
            Time = new DateTimeOffset(2026, 3, 1, 3, 0, 0, TimeSpan.Zero),
            Level = level,
            Answers = [],
            Figures = new StatusFigures
            {
                RtoSeconds = 1800,
                MaxAgeSeconds = 93600,
                Keys = [],
                Rows = new Dictionary<string, long>(),
                Bytes = new Dictionary<string, long>(),
            },
            Stores = [],
            Events = [],
            Findings = findings,
        };
}
