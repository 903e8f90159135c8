using System.Globalization;
using PgBackup.Losses;
using PgBackup.Neon;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Keys;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Status;

/// <summary>Makes a status of what was read; looks nothing up. Pure.</summary>
internal sealed class StatusJudge
{
    /// <summary>How long a drill counts: a quarter, and a week for the one that comes late.</summary>
    public static readonly TimeSpan DrillLife = TimeSpan.FromDays(100);

    // What a person settled stays in sight for a month: others may see it otherwise.
    internal static readonly TimeSpan ConfirmationShown = TimeSpan.FromDays(30);

    private const int MostNamed = 5;

    // Of one snapshot: a schema that was dropped has hundreds of tables.
    private const int MostLosses = 15;

    // A store may be listed while a run is under way; none goes so long without writing an object.
    private static readonly TimeSpan RunSilence = TimeSpan.FromHours(6);

    private readonly StatusFacts facts;
    private readonly StoreReading[] readable;
    private readonly StatusFigures figures;

    public StatusJudge(StatusFacts facts)
    {
        this.facts = facts;
        readable = [.. facts.Readings.Where(static r => r.IsReadable)];
        figures = StatusFiguresOf.Read(facts);
    }

    /// <summary>The report.</summary>
    /// <param name="others">What was found while reading.</param>
    public StatusReport Report(IEnumerable<Finding> others)
    {
        List<Finding> findings = [.. Losses(), .. Stores(), .. Damage(), .. Runs(), .. Drills(), .. Keys(), .. Neon(), .. others];
        StoreStatus[] stores = [.. facts.Readings.Select(r => StoreStatusOf.Read(r, Others(r), facts.Now))];
        return new StatusReport
        {
            Format = StatusReport.CurrentFormat,
            Cluster = facts.Config.Cluster,
            Time = facts.Now,
            Level = readable.Length == 0 ? StatusLevel.Unknown : StatusLevels.Of(findings),
            Answers = StatusAnswers.Of(facts, figures, stores, findings),
            Figures = figures,
            Stores = stores,
            Events = [.. Events()],
            Findings = [.. findings.OrderByDescending(static f => f.Severity)],
        };
    }

    // A loss is found again every night: what the newest snapshots have is what is lost now.
    private IEnumerable<Finding> Losses()
    {
        var confirmations = new Confirmations(facts.Confirmations);
        foreach (Manifest manifest in ((Manifest?[])[facts.Newest, facts.Partial]).OfType<Manifest>())
        {
            IReadOnlyList<Finding> open = LossSurvey.Of(manifest, confirmations).Open;
            foreach (Finding finding in open.Take(MostLosses))
            {
                yield return finding;
            }

            if (open.Count > MostLosses)
            {
                yield return open[MostLosses] with
                {
                    Subject = manifest.Id,
                    What = $"{Words.Count(open.Count - MostLosses, "more loss", "more losses")} in {manifest.Id}",
                    Why = null,
                    Fix = $"`olympus-pgbackup show {manifest.Id}` names them",
                };
            }

            // What nobody can confirm, such as a database that no backup takes.
            foreach (Finding finding in manifest.Findings.Where(static f => f.Severity >= Severity.Warning))
            {
                yield return finding;
            }
        }

        foreach (Record record in facts.Confirmations.Where(r => facts.Now - r.Started < ConfirmationShown))
        {
            yield return Finding.Note(
                ErrorCode.LossConfirmed,
                record.Snapshot ?? "",
                $"confirmed on {JudgedLoss.Told(record)}: "
                    + string.Join(", ", record.Confirmed.Take(MostNamed).Select(static l => Foreign.Line(l.Subject)))
                    + (record.Confirmed.Count > MostNamed ? $" and {record.Confirmed.Count - MostNamed} more" : "")
            );
        }
    }

    private IEnumerable<Finding> Stores()
    {
        foreach (StoreReading reading in facts.Readings)
        {
            if (reading.Problem is { } problem)
            {
                yield return problem;
                continue;
            }

            foreach (Finding finding in Freshness.Of(reading.Name, reading.Entries, facts.Config.MaxAge, facts.Now))
            {
                yield return finding;
            }

            IReadOnlyList<SnapshotId> lacks = reading.Store.Lacks(reading.Entries, Others(reading), facts.Now);
            if (lacks.Count > 0)
            {
                yield return Finding.Warning(
                    ErrorCode.StoreBehind,
                    reading.Name,
                    $"{reading.Name} lacks {Words.Count(lacks.Count, "snapshot")} that its rules would keep, the newest {lacks[^1]}",
                    fix: "The next run copies what the first store has; `olympus-pgbackup check --all --repair` copies from any store"
                );
            }
        }

        if (facts.Readings.All(static r => !r.Store.IsOffHost))
        {
            yield return Finding.Warning(
                ErrorCode.NothingOffHost,
                facts.Config.Cluster,
                "every store is on this host",
                "when the host is lost, so are the backups",
                "Add a store elsewhere to `stores:` in the config, and start `olympus-pgbackup run`"
            );
        }
    }

    private IEnumerable<Finding> Damage() =>
        [
            .. KnownDamage.Of(
                facts.Checks,
                (store, snapshot) =>
                    readable.FirstOrDefault(r => r.Name == store) is { } reading && reading.Entries.All(e => e.Id.ToString() != snapshot)
            ),
            .. KnownDamage.OfLast(facts.Checks.Count > 0 ? facts.Checks[0] : null) is { } unlooked ? (Finding[])[unlooked] : [],
        ];

    private IEnumerable<Finding> Runs()
    {
        SnapshotId? newest = facts.Newest is { } manifest ? SnapshotId.TryParse(manifest.Id) : null;
        Record? last = facts.LastRun;
        if (facts.Partial is { Failures.Count: > 0 } partial)
        {
            yield return Finding.Error(
                ErrorCode.LastRunFailed,
                partial.Id,
                $"the last run left {partial.Id} incomplete: {string.Join(", ", partial.Failures.Select(static f => f.Part))} failed",
                string.Join("; ", partial.Failures.Select(static f => $"{f.Part}: {f.Code}: {f.Message}")),
                $"`olympus-pgbackup show {partial.Id}` says more. Mend it, then start `olympus-pgbackup run`"
            );
        }
        else if (last is { Result: RecordResult.Failed } && !(newest?.Time > SnapshotId.At(last.Started).Time))
        {
            yield return Finding.Error(
                ErrorCode.LastRunFailed,
                facts.Config.Cluster,
                $"the last run, of {Time(last.Started)}, failed",
                last.Findings.FirstOrDefault(static f => f.Severity == Severity.Error)?.Fact,
                "Mend it, then start `olympus-pgbackup run`"
            );
        }

        // The run that found the traces of a killed one has removed them: its record tells.
        Finding? killed = last?.Findings.FirstOrDefault(static f => f is { Code: ErrorCode.RunKilled, Severity: Severity.Warning });
        if (killed is not null && SnapshotId.TryParse(killed.Subject) is { } traces)
        {
            yield return KilledRun.Of(traces);
        }

        foreach (CatalogEntry left in readable.SelectMany(static r => r.Entries).Where(IsKilled).DistinctBy(static e => e.Id))
        {
            yield return Finding.Warning(
                ErrorCode.RunKilled,
                left.Id.ToString(),
                $"a run or a removal was killed before it ended, and left parts of {left.Id}",
                fix: "The next run removes them. Look why it was killed: `dmesg`, or the journal of that time"
            );
        }
    }

    private bool IsKilled(CatalogEntry entry)
    {
        DateTimeOffset last = entry.Written > entry.Id.Time ? entry.Written : entry.Id.Time;
        return entry.IsLeftover && facts.Now - last > RunSilence;
    }

    private IEnumerable<Finding> Drills()
    {
        if (readable.Length == 0 || facts.Newest is null)
        {
            yield break;
        }

        const string Fix = "Run `olympus-pgbackup drill --identity FILE` where a private key is";
        if (facts.Drills.Count == 0)
        {
            string what = readable.Any(static r => r.Drills.Count > 0)
                ? "no report of a drill could be read"
                : "no drill has shown yet that these backups can be restored";
            yield return Finding.Warning(ErrorCode.DrillOverdue, facts.Config.Cluster, what, fix: Fix);
            yield break;
        }

        DrillReport last = facts.Drills[0];
        if (!last.Passed)
        {
            IReadOnlyList<Finding> failures = last.Failures;
            string more = failures.Count > 1 ? string.Create(CultureInfo.InvariantCulture, $" (and {failures.Count - 1} more)") : "";
            yield return Finding.Error(
                ErrorCode.LastDrillFailed,
                last.Snapshot,
                $"the last drill, of {Time(last.Started)}, failed",
                failures[0].Fact + more,
                "`olympus-pgbackup drill --show` prints its report. Mend what it names, and rehearse again"
            );
        }

        if (facts.Now - last.Started > DrillLife)
        {
            yield return Finding.Warning(
                ErrorCode.DrillOverdue,
                facts.Config.Cluster,
                $"the last drill was {Words.Age(facts.Now - last.Started)} ago",
                $"a drill counts for {DrillLife.TotalDays:0} days",
                Fix
            );
        }

        if (last.Passed && figures.RestoreSeconds > figures.RtoSeconds)
        {
            yield return Finding.Error(
                ErrorCode.RtoExceeded,
                facts.Config.Cluster,
                $"a restore of today's snapshot would take about {Words.Age(TimeSpan.FromSeconds(figures.RestoreSeconds.Value))}",
                $"drill.rto allows {Words.Age(TimeSpan.FromSeconds(figures.RtoSeconds))}; by the last drill, scaled by bytes",
                "Measure it with `olympus-pgbackup drill`; `restore --jobs` is faster for large databases"
            );
        }
    }

    private IReadOnlyList<Finding> Keys()
    {
        if (facts.Newest is not { Recipients.Count: > 0 } newest)
        {
            return [];
        }

        var survey = KeysSurvey.Of(readable.Select(static r => (r.Store.Store, r.Keys)));
        return KeyFindings.Of(newest.Recipients, survey.LastTestOf, survey.KnownSince(newest.Recipients), facts.Now);
    }

    private IEnumerable<Finding> Neon() => facts.Neon is { } reading ? NeonFindings.Of(facts.Config, reading) : [];

    // A record tells more than an object's name; of what happened before there were records, only the names are left.
    private IEnumerable<StatusEvent> Events() =>
        facts.Records.Select(static r => new StatusEvent
        {
            Time = r.Started,
            Kind = r.Kind.Word(),
            Result = r.Result.Word(),
            Text = r.Summary,
        });

    private IEnumerable<CatalogEntry> Others(StoreReading reading) => readable.Where(r => r != reading).SelectMany(static r => r.Entries);

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC";
}
