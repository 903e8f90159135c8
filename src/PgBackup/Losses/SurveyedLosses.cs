using System.Globalization;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>The losses of one snapshot, each with whether it is settled.</summary>
public sealed record SurveyedLosses
{
    // Of a list, what a line has room for.
    private const int MostNamed = 3;

    /// <summary>The snapshot's id.</summary>
    public required string Snapshot { get; init; }

    /// <summary>All of them.</summary>
    public required IReadOnlyList<JudgedLoss> All { get; init; }

    /// <summary>Why it is not known for certain what was confirmed: stores and records that could not be read.</summary>
    public IReadOnlyList<Finding> Problems { get; init; } = [];

    /// <summary>Those that are red.</summary>
    public IReadOnlyList<JudgedLoss> Unconfirmed => [.. All.Where(static l => l.IsRed)];

    /// <summary>Each as a finding; where one is not settled, also what could not be read: it may be why.</summary>
    public IReadOnlyList<Finding> Findings => [.. All.Any(static l => !l.IsSettled) ? Problems : [], .. All.Select(static l => l.Finding)];

    /// <summary>The same without those that are settled.</summary>
    public IReadOnlyList<Finding> Open =>
        [.. All.Any(static l => !l.IsSettled) ? Problems : [], .. All.Where(static l => !l.IsSettled).Select(static l => l.Finding)];

    /// <summary>The names of what is red, the first few of them: <c>ciam_kratos.public.identities and 2 more</c>.</summary>
    public string Names
    {
        get
        {
            IReadOnlyList<JudgedLoss> red = Unconfirmed;
            string more = red.Count > MostNamed ? string.Create(CultureInfo.InvariantCulture, $" and {red.Count - MostNamed} more") : "";
            return string.Join(", ", red.Take(MostNamed).Select(static l => l.Loss.Subject)) + more;
        }
    }
}

/// <summary>A loss of a snapshot, and who has settled it.</summary>
public sealed record JudgedLoss
{
    private const int LongestText = 200;

    /// <summary>The loss.</summary>
    public required Loss Loss { get; init; }

    /// <summary>The snapshot that has it.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The record by which a person confirmed it; null where there is none.</summary>
    public Record? By { get; init; }

    /// <summary>The snapshot says that it was settled in an earlier one.</summary>
    public bool IsHandedOn { get; init; }

    /// <summary>It was announced, or a person confirmed it.</summary>
    public bool IsSettled => Loss.IsExpected || By is not null || IsHandedOn;

    /// <summary>It is red: an error that nobody has confirmed.</summary>
    public bool IsRed => !IsSettled && Loss.Severity == Severity.Error;

    /// <summary>It as a finding, with who confirmed it, when, and what was noted.</summary>
    public Finding Finding
    {
        get
        {
            Finding finding = LossFindings.Of(Loss, Snapshot, IsSettled);
            return By is null ? finding : finding with { Why = finding.Why + Settled(By) };
        }
    }

    /// <summary>When it was confirmed, by whom, and why: <c>2026-03-10 08:00 UTC by ada on backup1: the migration</c>. What a store
    /// says in it is in one line, and short.</summary>
    internal static string Told(Record by)
    {
        string when = by.Started.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
        string who = by.User is null ? "" : $" by {Short(by.User)}";
        string where = by.Host is null ? "" : $" on {Short(by.Host)}";
        return when + who + where + (by.Note is { Length: > 0 } note ? $": {Short(note)}" : "");
    }

    private static string Settled(Record by) => $", {Told(by)}";

    private static string Short(string text)
    {
        string line = Foreign.Line(text);
        return line.Length <= LongestText ? line : line[..LongestText] + "...";
    }
}
