using PgBackup.Configuration;
using PgBackup.Records;

namespace PgBackup.Serve.Scheduling;

/// <summary>The history that the records in the stores tell: it outlives this process, this host, and its clock.</summary>
/// <param name="log">The records.</param>
/// <param name="clock">The time.</param>
internal sealed class RecordedHistory(Func<RecordLog> log, TimeProvider clock) : IJobHistory
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    /// <inheritdoc/>
    public async Task<Done> DoneSinceAsync(PlannedJob job, DateTimeOffset due, CancellationToken cancel)
    {
        try
        {
            RecordsSince found = await Patience.RequireAsync(
                "what was recorded",
                c => log().ListSinceAsync(due, KindsOf(job.Kind), c),
                Limit,
                clock,
                cancel
            );
            return found.Listing.Entries.Any(e => !e.Name.IsAfter(clock.GetUtcNow()) && Counts(job, e.Record)) ? Done.Yes
                // An installation that is younger than the moment has missed nothing.
                : found.Oldest is null || found.Oldest >= due ? Done.NotYet
                : Done.No;
        }
        catch (PgBackupException) when (!cancel.IsCancellationRequested)
        {
            return Done.Unknown;
        }
    }

    private static RecordKind[] KindsOf(JobKind kind) =>
        kind switch
        {
            JobKind.Run => [RecordKind.Run],
            JobKind.Prune => [RecordKind.Prune],
            JobKind.Check => [RecordKind.Check, RecordKind.Damage, RecordKind.Repair],
            JobKind.Drill => [RecordKind.Drill],
            _ => [RecordKind.KeyReminder],
        };

    // One that was cancelled, by a restart for instance, was not done. One that failed was: whoever is told of it mends it.
    private static bool Counts(PlannedJob job, Record? record) =>
        record is null
        || !(record.Result == RecordResult.Failed && record.Findings.Any(static f => f.Code == ErrorCode.Cancelled))
            && (job.Kind != JobKind.Run || record.Verb is null)
            && (job.Kind != JobKind.Check || IsAsWide(job, record));

    private static bool IsAsWide(PlannedJob job, Record record) =>
        (record.Snapshot is null || !job.Arguments.Contains("--all"))
        && (record.Depth is not CheckDepth.Present || !job.Arguments.Contains("--read-data"));
}
