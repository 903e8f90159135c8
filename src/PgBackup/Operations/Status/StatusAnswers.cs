using System.Globalization;
using PgBackup.Host;
using PgBackup.Operations.Keys;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Status;

/// <summary>The questions of a status, answered in sentences. Pure.</summary>
internal sealed class StatusAnswers
{
    // Nights that are looked back over.
    private const int Days = 14;

    private readonly StatusFacts facts;
    private readonly StatusFigures figures;
    private readonly IReadOnlyList<StoreStatus> stores;
    private readonly int losses;

    private StatusAnswers(StatusFacts facts, StatusFigures figures, IReadOnlyList<StoreStatus> stores, IReadOnlyList<Finding> findings)
    {
        losses = findings.Count(static f => IsLoss(f.Code) && f.Severity == Severity.Error);
        this.facts = facts;
        this.figures = figures;
        this.stores = stores;
    }

    /// <summary>An answer to each question.</summary>
    public static IReadOnlyList<StatusAnswer> Of(
        StatusFacts facts,
        StatusFigures figures,
        IReadOnlyList<StoreStatus> stores,
        IReadOnlyList<Finding> findings
    )
    {
        var answers = new StatusAnswers(facts, figures, stores, findings);
        bool isSeen = stores.Any(static s => s.IsReadable);
        return
        [
            .. Enum.GetValues<StatusQuestion>()
                .Select(question =>
                {
                    (bool isKnown, string text) = isSeen ? answers.Answer(question) : (false, "not known: no store could be read");
                    StatusLevel found = StatusLevels.Of(findings.Where(f => answers.QuestionOf(f) == question));
                    return new StatusAnswer
                    {
                        Question = question,
                        Level =
                            isSeen && figures.NewestComplete is null && NeedsSnapshot(question) ? StatusLevel.Red
                            : question == StatusQuestion.Runs && answers.IsOverdue ? StatusLevel.Red
                            : found == StatusLevel.Red || isKnown ? found
                            : StatusLevel.Unknown,
                        Text = text,
                    };
                }),
        ];
    }

    private static bool IsLoss(ErrorCode code) =>
        code is ErrorCode.DatabaseGone or ErrorCode.TableGone or ErrorCode.ColumnGone or ErrorCode.TableEmptied or ErrorCode.TableShrunk;

    private bool IsOverdue => figures.NewestComplete?.AgeSeconds > figures.MaxAgeSeconds;

    private static bool NeedsSnapshot(StatusQuestion question) =>
        question is StatusQuestion.Recover or StatusQuestion.Loss or StatusQuestion.Runs;

    // What is wrong with a store matters most where it is the one away from this host.
    private StatusQuestion QuestionOf(Finding finding) =>
        finding.Code switch
        {
            ErrorCode.SnapshotFromTheFuture => StatusQuestion.Loss,
            // Of one store that is behind, it is no loss: another one has younger ones.
            ErrorCode.SnapshotTooOld when IsOverdue => StatusQuestion.Loss,
            ErrorCode.LastRunFailed or ErrorCode.RunKilled or ErrorCode.RecordsUnreadable => StatusQuestion.Runs,
            ErrorCode.RtoExceeded or ErrorCode.DrillOverdue => StatusQuestion.Speed,
            ErrorCode.OneRecipient or ErrorCode.KeyExpiring or ErrorCode.KeyUntested => StatusQuestion.Keys,
            ErrorCode.NothingOffHost => StatusQuestion.OffHost,
            ErrorCode.NeonWindowShort or ErrorCode.NeonUnknown => StatusQuestion.Loss,
            _ when IsLoss(finding.Code) => StatusQuestion.Recover,
            _ when stores.FirstOrDefault(s => s.Name == finding.Subject) is { } store => store.IsOffHost
                ? StatusQuestion.OffHost
                : StatusQuestion.Kept,
            _ => StatusQuestion.Recover,
        };

    private (bool IsKnown, string Text) Answer(StatusQuestion question) =>
        question switch
        {
            StatusQuestion.Recover => Recover(),
            StatusQuestion.Loss => Loss(),
            StatusQuestion.Speed => Speed(),
            StatusQuestion.Keys => Keys(),
            StatusQuestion.OffHost => OffHost(),
            StatusQuestion.Kept => Kept(),
            _ => Runs(),
        };

    private (bool, string) Recover()
    {
        if (figures.NewestComplete is not { } newest)
        {
            return (
                true,
                facts.Has(static e => e.IsComplete) ? "no: no complete snapshot is whole and readable" : "no: there is no complete snapshot"
            );
        }

        if (figures.NewestProven is not { } proven)
        {
            string none = facts.Has(static e => e.IsProven)
                ? "none that a drill has proven is whole and readable"
                : "no drill has restored any snapshot yet";
            return (false, $"not known: {newest.Id} is complete, and {none}");
        }

        string rehearsed = proven.Id == newest.Id ? "" : $"; the newest, {newest.Id}, is complete and not rehearsed";
        string failed = figures.LastDrill is { Passed: false } drill ? $"; the last drill, of {Day(drill.Time)}, failed" : "";
        string lacks = losses == 0 ? "" : "; what the newest one lacks is below, and nobody has confirmed it";
        return (true, $"yes: {proven.Id} was restored and found equal in a drill ({In(proven)}){rehearsed}{failed}{lacks}");
    }

    private (bool, string) Loss()
    {
        if (figures.NewestComplete is not { } newest)
        {
            return (true, "everything");
        }

        string proven =
            figures.NewestProven is { } other && other.Id != newest.Id ? $"; {Age(other.AgeSeconds)} since the newest proven one" : "";
        return (true, $"the last {Age(newest.AgeSeconds)}: what was written since {newest.Id} ({In(newest)}){proven}");
    }

    private (bool, string) Speed()
    {
        if (figures.RestoreSeconds is not { } restore || figures.LastDrill is not { } drill)
        {
            return (false, "not known: no drill has passed yet");
        }

        string with = figures.RecoverySeconds is { } all && all > restore ? $", {Age(all)} with the rest of the deployment" : "";
        return (
            true,
            $"about {Age(restore)} for the databases{with}; drill.rto allows the databases {Age(figures.RtoSeconds)}; "
                + $"last drill {Day(drill.Time)}"
                + (drill.Passed ? "" : ", which failed")
        );
    }

    private (bool, string) Keys()
    {
        if (facts.Newest is null)
        {
            return (false, "not known: there is no complete snapshot");
        }

        if (figures.Keys.Count == 0)
        {
            return (true, $"no key is needed: the snapshots have encryption {facts.Newest.Encryption}");
        }

        IEnumerable<string> keys = figures.Keys.Select(k =>
            $"{KeyFindings.Short(k.Name)} "
            + (k.LastTested is { } last ? $"decrypted a snapshot {Words.Age(facts.Now - last)} ago" : "was never tested")
        );
        return (figures.Keys.Any(static k => k.LastTested is not null), string.Join("; ", keys));
    }

    private (bool, string) OffHost()
    {
        StoreStatus[] away = [.. stores.Where(static s => s is { IsOffHost: true, IsReadable: true })];
        if (away.Length == 0)
        {
            return stores.Any(static s => s.IsOffHost)
                ? (false, "not known: no store on another machine could be read")
                : (true, "no: every store is on this host");
        }

        return (
            true,
            string.Join(
                "; ",
                away.Select(static s =>
                    s.Complete == 0 ? $"{s.Name} has no complete snapshot"
                    : s.Lacks > 0 ? $"{s.Name} lacks {Words.Count(s.Lacks, "snapshot")}, the newest there is {Age(s.AgeSeconds ?? 0)} old"
                    : $"yes: {s.Name} has all that it should keep, the newest {Age(s.AgeSeconds ?? 0)} old"
                )
            )
        );
    }

    private (bool, string) Kept()
    {
        IEnumerable<string> kept = stores
            .Where(static s => s.IsReadable)
            .Select(static s => $"{Words.Count(s.Snapshots, "snapshot")}, {ByteSize.Text(s.Bytes)} in {s.Name}");
        string cost = figures.CostPerMonth is { } price
            ? string.Create(CultureInfo.InvariantCulture, $"; costs {(price < 0.01m ? "less than 0.01" : $"{price:0.00}")} a month")
            : "; cost not known (price_per_gb in the config)";
        return (true, string.Join(", ", kept) + cost);
    }

    private (bool, string) Runs()
    {
        HashSet<SnapshotId> complete =
        [
            .. facts
                .Readings.Where(static r => r.IsReadable)
                .SelectMany(static r => r.Entries)
                .Where(e => e.IsComplete && e.Id.Time <= facts.Now)
                .Select(static e => e.Id),
        ];
        if (complete.Count == 0)
        {
            return (true, "no run has ended well");
        }

        DateTime today = facts.Now.UtcDateTime.Date;
        DateTime first = complete.Min(static id => id.Time).UtcDateTime.Date;
        int days = Math.Min(Days, (today - first).Days + 1);
        int with = complete.Select(static id => id.Time.UtcDateTime.Date).Distinct().Count(d => (today - d).Days < days);
        DateTimeOffset last = complete.Max(static id => id.Time);
        return (
            true,
            $"last complete snapshot {Minute(last)}; {with} of the last {Words.Count(days, "day")} have one; "
                + $"the next {(IsOverdue ? "was" : "is")} due by {Minute(last + facts.Config.MaxAge)}"
        );
    }

    private static string In(PlacedSnapshot snapshot) =>
        snapshot.Stores.Count == 0 ? "in no store any more" : $"in {string.Join(", ", snapshot.Stores)}";

    private static string Age(double seconds) => Words.Age(TimeSpan.FromSeconds(seconds));

    private static string Minute(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC";

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
