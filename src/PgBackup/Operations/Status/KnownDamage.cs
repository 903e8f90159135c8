using System.Globalization;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Status;

/// <summary>
/// What checks found damaged, and no later one found right: it stays red until a check of the same bytes, at least as deep, finds them
/// right, or the snapshot is gone. Pure.
/// </summary>
internal static class KnownDamage
{
    private const int MostNamed = 5;

    // What keeps a check from looking into a store.
    private static readonly ErrorCode[] Unread =
    [
        ErrorCode.StoreUnavailable,
        ErrorCode.StoreEmptied,
        ErrorCode.StoreOfAnotherCluster,
        ErrorCode.ToolMissing,
    ];

    /// <summary>A finding for each.</summary>
    /// <param name="records">Those of checks and repairs, in any order.</param>
    /// <param name="isGone">A store that was read no longer has a snapshot.</param>
    public static IEnumerable<Finding> Of(IEnumerable<Record> records, Func<string, string, bool> isGone)
    {
        List<Known> known = [];
        foreach (Record record in records.OrderBy(static r => r.Started))
        {
            known.RemoveAll(k => Covers(record, k));
            known.AddRange(record.Findings.Where(static f => f.Code == ErrorCode.ObjectDamaged).Select(f => new Known(f, record)));
        }

        Known[] left = [.. known.Where(k => k.Snapshot is null || !isGone(k.Store, k.Snapshot))];
        foreach (Known one in left.Take(MostNamed))
        {
            yield return one.Finding with
            {
                Severity = Severity.Error,
                Subject = Foreign.Line(one.Store),
                What = $"the check of {Time(one.Found.Started)} found: {Foreign.Line(one.Finding.What)}",
                Why = null,
                Fix = FixOf(one),
            };
        }

        if (left.Length > MostNamed)
        {
            yield return left[MostNamed].Finding with
            {
                Severity = Severity.Error,
                Subject = Foreign.Line(left[MostNamed].Store),
                What = $"checks found damage in {left.Length - MostNamed} more places",
                Why = null,
                Fix = "`olympus-pgbackup check --all --read-data` names them",
            };
        }
    }

    /// <summary>The last check could not look.</summary>
    /// <param name="last">The newest record of a check or a repair.</param>
    public static Finding? OfLast(Record? last) =>
        last is { Kind: RecordKind.Check, Result: RecordResult.Failed, Depth: null }
            ? Finding.Warning(
                ErrorCode.JobFailed,
                "check",
                $"the last check, of {Time(last.Started)}, could not look",
                last.Findings.FirstOrDefault(static f => f.Severity == Severity.Error)?.Fact,
                "Mend it, then start `olympus-pgbackup check` again"
            )
            : null;

    private static bool Covers(Record later, Known known) =>
        later.Depth >= known.Found.Depth
        && (later.Store is null || later.Store == known.Store)
        && (known.Snapshot is null || later.Snapshot is null || later.Snapshot == known.Snapshot)
        // A store that could not be read was not covered.
        && !later.Findings.Any(f => f.Subject == known.Store && Unread.Contains(f.Code));

    private static string FixOf(Known one)
    {
        string what = one.Snapshot ?? "--all";
        string depth = one.Found.Depth switch
        {
            CheckDepth.Decode => " --identity FILE",
            CheckDepth.ReadData => " --read-data",
            _ => "",
        };
        return $"`olympus-pgbackup check {what}{depth} --repair` copies what another store has whole; a good check of it settles this";
    }

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC";

    // A subject is a store, or a snapshot in it.
    private sealed record Known(Finding Finding, Record Found)
    {
        public string Store { get; } = Finding.Subject.Split('/')[0];

        public string? Snapshot { get; } = Finding.Subject.Split('/') is [_, var id, ..] && SnapshotId.TryParse(id) is not null ? id : null;
    }
}
