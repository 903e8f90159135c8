using System.Collections.Frozen;
using PgBackup.Losses;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Drill;

/// <summary>
/// What a rehearsed snapshot lacks: losses that nobody has confirmed, and what the newest proven one before it had. A snapshot that is
/// restored without a fault, and lacks a table, proves nothing.
/// </summary>
internal sealed class DrillLosses
{
    private readonly SinceProven? since;

    private DrillLosses(SinceProven? since, IReadOnlyList<Finding> findings)
    {
        this.since = since;
        Findings = findings;
    }

    /// <summary>Nothing is known.</summary>
    public static DrillLosses None { get; } = new(null, []);

    /// <summary>What is lost, and not settled; and why that is not known.</summary>
    public IReadOnlyList<Finding> Findings { get; }

    /// <summary>The drill fails, and proves nothing.</summary>
    public bool IsRed => Findings.Any(static f => f.Severity == Severity.Error);

    /// <summary>The proven snapshot; null where there is none.</summary>
    public string? Proven => since?.Proven;

    /// <summary>What a database of the proven snapshot had, as <see cref="SinceProven.Had"/> says it.</summary>
    public IReadOnlySet<string> Had(string database) => since?.Had(database) ?? FrozenSet<string>.Empty;

    /// <summary>Reads it. What cannot be read is a finding, and ends no drill.</summary>
    /// <param name="survey">Knows what was confirmed.</param>
    /// <param name="catalog">Of the store that is rehearsed.</param>
    /// <param name="id">The snapshot.</param>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<DrillLosses> ReadAsync(
        LossSurvey survey,
        Catalog catalog,
        SnapshotId id,
        Manifest manifest,
        CancellationToken cancel
    )
    {
        Manifest? proven = null;
        List<Finding> problems = [];
        try
        {
            proven = await SinceProven.FindAsync(catalog, id, cancel);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
        {
            string what = $"what {id} lacks could not be compared with a proven snapshot";
            problems.Add(Finding.Of(Severity.Warning, ErrorCode.ComparisonSkipped, id.ToString(), what, e));
        }

        SurveyedLosses own = await survey.OfAsync(manifest, cancel);
        if (proven is null)
        {
            return new DrillLosses(null, [.. problems, .. own.Open]);
        }

        ConfirmationsReading known = await survey.ConfirmationsAsync(cancel);
        var since = new SinceProven(proven, manifest, own, known.Confirmations);
        SurveyedLosses all = own with { All = [.. own.All, .. since.Gone()], Problems = known.Problems };
        return new DrillLosses(since, all.Open);
    }
}
