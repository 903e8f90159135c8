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
            if (found.Listing.Entries.Any(e => !e.Name.IsAfter(clock.GetUtcNow()) && Counts(job, e.Record)))
            {
                return Done.Yes;
            }

            // A store that is away may have the record. A run looks itself, under the lock.
            return found.Listing.Findings.Any(static f => f.Code == ErrorCode.RecordsUnreadable) && job.Kind != JobKind.Run ? Done.Unknown
                : found.HasEarlier ? Done.No
                : Done.NotYet;
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

    // One that was cancelled, by a restart for instance, was not done. One that failed was: whoever is told of it mends it. One that cannot
    // be read may be anything: rather a run too many.
    private static bool Counts(PlannedJob job, Record? record) =>
        record is null
            ? job.Kind != JobKind.Run
            : !(record.Result == RecordResult.Failed && record.Findings.Any(static f => f.Code == ErrorCode.Cancelled))
                && (job.Kind != JobKind.Run || record.Verb is null)
                && (job.Kind != JobKind.Check || IsAsWide(job, record));

    // A check that could not look has no depth: somebody was told of it.
    private static bool IsAsWide(PlannedJob job, Record record) =>
        (record.Snapshot is null || !job.Arguments.Contains("--all"))
        && (record.Store is null || job.Arguments.Contains("--store"))
        && (record.Depth is not { } depth || depth >= DepthOf(job));

    private static CheckDepth DepthOf(PlannedJob job) =>
        job.Arguments.Contains("--identity") ? CheckDepth.Decode
        : job.Arguments.Contains("--read-data") ? CheckDepth.ReadData
        : CheckDepth.Present;
}
