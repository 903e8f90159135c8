using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;
using static PgBackup.Tests.Operations.SnapshotSample;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Losses;

/// <summary>Losses, manifests that have them, and confirmations of them.</summary>
internal static class LossSample
{
    /// <summary>The table <c>public.identities</c> is gone from <c>ciam_kratos</c>, which had 100 rows in it.</summary>
    public static Loss Gone(int since) => Of(LossKind.TableGone, "public.identities", 100, 0, since);

    /// <summary>A table lost more than half of its rows.</summary>
    public static Loss Shrunk(int since, long now, string table = "public.identity_credentials") =>
        Of(LossKind.TableShrunk, table, 100, now, since);

    public static Loss Of(LossKind kind, string table, long before, long now, int since, Severity severity = Severity.Error) =>
        new()
        {
            Kind = kind,
            Database = "ciam_kratos",
            Table = table,
            Before = before,
            Now = now,
            Since = Day(since).ToString(),
            Severity = severity,
        };

    public static Manifest Night(int day, params IReadOnlyList<Loss> losses) =>
        ManifestSample.Of(Day(day), "none") with
        {
            Losses = losses,
        };

    /// <summary>A person's confirmation, made at eight o'clock of the snapshot's day.</summary>
    public static Record Confirmation(int day, params IReadOnlyList<Loss> losses) =>
        new()
        {
            Format = Record.CurrentFormat,
            Kind = RecordKind.Confirm,
            Cluster = Cluster,
            Started = Day(day, 8).Time,
            Finished = Day(day, 8).Time,
            User = "ada",
            Host = "backup1",
            Tool = "0.1.0",
            Result = RecordResult.Ok,
            Summary = "confirmed",
            Snapshot = Day(day).ToString(),
            Confirmed = losses,
            Note = "the migration",
        };
}
