using PgBackup.Losses;
using PgBackup.Operations.Keys;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Check;

/// <summary>Checks several stores at the same time, and compares what they hold with each other.</summary>
public sealed class StoresCheck(
    IReadOnlyList<BackupStore> stores,
    string cluster,
    TimeProvider clock,
    Func<IObjectStore, CheckOperation> checkOf
)
{
    /// <summary>How old the newest complete snapshot of each store may be; without it, any age is right.</summary>
    public TimeSpan? MaxAge { get; init; }

    /// <summary>Knows which losses were confirmed; without it, the stores that are checked are asked alone.</summary>
    public LossSurvey? Losses { get; init; }

    /// <summary>Records it; null to leave no record.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>Repairs what was found; null to change nothing.</summary>
    public StoresRepair? Repair { get; init; }

    /// <summary>
    /// Checks one snapshot (an id or <c>latest</c>: of each store its own newest complete one, and a store that lacks a newer one has a
    /// gap), or with null all of them.
    /// </summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.SnapshotMissing"/> when no store has it; <see cref="ErrorCode.StoreUnavailable"/> when no store can be read;
    /// <see cref="ErrorCode.IdentityUnusable"/>.
    /// </exception>
    public async Task<CheckReport> RunAsync(SnapshotRef? wanted, CheckDepth depth, CancellationToken cancel)
    {
        Record? begun = Recorder is null ? null : CheckRecord.Begin(Recorder, stores, wanted);
        CheckReport report = await Recorder.RecordFailureAsync(
            _ => begun!,
            async () =>
            {
                CheckReport found = await LookAsync(wanted, depth, cancel);
                return Repair is not null && StoresRepair.IsNeeded(found) ? await Repair.RunAsync(found, cancel) : found;
            },
            cancel
        );
        if (Recorder is not null)
        {
            await Recorder.WriteAsync(CheckRecord.End(begun!, report, depth), cancel);
        }

        return report;
    }

    private async Task<CheckReport> LookAsync(SnapshotRef? wanted, CheckDepth depth, CancellationToken cancel)
    {
        StoreSurvey[] found = await Task.WhenAll(stores.Select(s => FindAsync(s, wanted, depth, cancel)));
        if (found.All(static f => f.Error is not null))
        {
            throw found[0].Error!;
        }

        List<SnapshotCheck> snapshots =
        [
            .. found
                .SelectMany(static f => f.Checks)
                .GroupBy(static c => c.Id, StringComparer.Ordinal)
                .OrderBy(static g => g.Key, StringComparer.Ordinal)
                .SelectMany(static g => CompareManifests([.. g]))
                .Select(c => WithConfirmed(c, found)),
        ];
        return new CheckReport
        {
            Snapshots =
            [
                .. snapshots.Select(c =>
                    c with
                    {
                        Problems = [.. c.Problems.Select(p => p with { GoodCopies = GoodCopies(snapshots, c, p) })],
                    }
                ),
            ],
            Gaps = [.. Gaps(found, wanted)],
            OnlyInReplicas = [.. OnlyInReplicas(found, wanted)],
            StoreProblems = [.. found.SelectMany(static f => f.Problems)],
            Findings =
            [
                .. wanted is null or { IsLatest: true } ? found.SelectMany(Ages) : [],
                .. await LossCheck.OfAsync(
                    snapshots,
                    wanted,
                    Losses ?? new LossSurvey([.. stores.Select(static s => s.Store)], clock),
                    cancel
                ),
                .. snapshots.LastOrDefault(static c => c.Recipients.Count > 0) is { } newest
                    ? KeyFindings.Of(newest.Recipients, clock.GetUtcNow())
                    : [],
            ],
        };
    }

    // What one store knows to be confirmed is red in another one that lacks the mark.
    private static SnapshotCheck WithConfirmed(SnapshotCheck check, StoreSurvey[] found)
    {
        CatalogEntry? own = Entry(found.First(f => f.Store.Store.Name == check.Store));
        List<string> others =
        [
            .. found.Where(f => Entry(f)?.Objects.ContainsKey(SnapshotLayout.Confirmed) == true).Select(static f => f.Store.Store.Name),
        ];
        return own is not { HasUnconfirmedLoss: true } || others.Count == 0
            ? check
            : check with
            {
                Problems =
                [
                    .. check.Problems,
                    new ObjectProblem
                    {
                        Object = SnapshotLayout.Confirmed,
                        Problem = $"it is missing, and {string.Join(", ", others)} {(others.Count == 1 ? "has" : "have")} it",
                    },
                ],
            };

        CatalogEntry? Entry(StoreSurvey survey) => survey.Entries.FirstOrDefault(e => e.Id.ToString() == check.Id);
    }

    private static ObjectProblem WrongSum { get; } =
        new() { Object = SnapshotLayout.ManifestSum, Problem = "it is not the digest of the manifest, which other stores confirm" };

    private static IReadOnlyList<string> GoodCopies(List<SnapshotCheck> all, SnapshotCheck of, ObjectProblem problem) =>
        [
            .. all.Where(c =>
                    c.Id == of.Id
                    && c.Store != of.Store
                    && c.Problems.All(p => p.Object != problem.Object && p.Object != SnapshotLayout.Manifest)
                )
                .Select(static c => c.Store),
        ];

    // A manifest is never edited, so it is the same in every store. Of two that differ, the one whose digest stands beside it is right, if
    // the other's does not; then the one that its parts agree with, if they were read and the other's do not; else nobody knows: copies
    // that were made of one another prove nothing.
    private static IEnumerable<SnapshotCheck> CompareManifests(List<SnapshotCheck> of)
    {
        List<SnapshotCheck> read = [.. of.Where(static c => c.ManifestSha256 is not null)];
        string? known = Only(read.Where(static c => c.IsSealed));
        if (known is not null)
        {
            return of.Select(c =>
                c.ManifestSha256 is null || c.IsSealed ? c
                : c.ManifestSha256 == known
                    ? c with
                    {
                        Problems = [.. c.Problems.Select(static p => p.Object == SnapshotLayout.Manifest ? WrongSum : p)],
                    }
                : c.Problems.Any(static p => p.Object == SnapshotLayout.Manifest) ? c
                : c with { Problems = [Differs(c), .. c.Problems] }
            );
        }

        if (read.DistinctBy(static c => c.ManifestSha256, StringComparer.Ordinal).Count() < 2)
        {
            return of;
        }

        string? right = Only(read.Where(static c => c.BytesRead > 0 && c.Problems.Count == 0));
        return of.Select(c =>
            c.ManifestSha256 is null || c.ManifestSha256 == right
                ? c
                : c with
                {
                    Problems =
                    [
                        right is not null
                            ? Differs(c)
                            : Differs(c) with
                            {
                                Problem =
                                    Differs(c).Problem
                                    + ", and which one is right is not known here: `check --identity` compares with what was dumped",
                            },
                        .. c.Problems.Where(static p => p.Object != SnapshotLayout.Manifest),
                    ],
                }
        );

        ObjectProblem Differs(SnapshotCheck c) =>
            new()
            {
                Object = SnapshotLayout.Manifest,
                Problem =
                    $"it differs from that in "
                    + $"{string.Join(", ", read.Where(o => o.ManifestSha256 != c.ManifestSha256).Select(static o => o.Store))}",
            };

        static string? Only(IEnumerable<SnapshotCheck> checks) =>
            checks.Select(static c => c.ManifestSha256).Distinct(StringComparer.Ordinal).ToList() is [string one] ? one : null;
    }

    private async Task<StoreSurvey> FindAsync(BackupStore store, SnapshotRef? wanted, CheckDepth depth, CancellationToken cancel)
    {
        IReadOnlyList<CatalogEntry> entries = [];
        try
        {
            entries = await new Catalog(store.Store, clock).ListAsync(cancel);
            await new Catalog(store.Store, clock).RequireClusterAsync(cluster, entries, cancel);
            CheckOperation check = checkOf(store.Store);
            IReadOnlyList<SnapshotCheck> checks = await check.RunAsync(wanted, depth, cancel);
            return new StoreSurvey
            {
                Store = store,
                Entries = entries,
                Checks = checks,
                Problems = await check.CheckCanariesAsync(depth, cancel),
            };
        }
        catch (PgBackupException e)
            when (e.Code
                    is ErrorCode.StoreUnavailable
                        or ErrorCode.SnapshotMissing
                        or ErrorCode.StoreOfAnotherCluster
                        or ErrorCode.ToolMissing
            )
        {
            return new StoreSurvey
            {
                Store = store,
                Entries = e.Code == ErrorCode.SnapshotMissing ? entries : [],
                Checks = [],
                Error = e,
            };
        }
    }

    // A store that could not be read is a gap already.
    private IReadOnlyList<Finding> Ages(StoreSurvey found) =>
        MaxAge is { } maxAge && found.CouldNotBeRead is null
            ? Freshness.Of(found.Store.Store.Name, found.Entries, maxAge, clock.GetUtcNow())
            : [];

    // What the next run would copy: runs copy from the primary only.
    private IEnumerable<StoreGap> Gaps(StoreSurvey[] found, SnapshotRef? wanted)
    {
        foreach (StoreSurvey findings in found)
        {
            if (findings.CouldNotBeRead is { } error)
            {
                yield return new StoreGap
                {
                    Store = findings.Store.Store.Name,
                    Problem = Finding.Of(Severity.Error, findings.Store.Store.Name, error),
                    Missing = [],
                };
            }
            else if (
                findings == found[0]
                && found.Length > 1
                && findings.Entries.All(static e => !e.HasManifest)
                && found.Any(static f => f.Entries.Any(static e => e.HasManifest))
            )
            {
                IEnumerable<string> others = found
                    .Where(static f => f.Entries.Any(static e => e.HasManifest))
                    .Select(static f => f.Store.Store.Name);
                yield return new StoreGap
                {
                    Store = findings.Store.Store.Name,
                    Problem = Finding.Error(
                        ErrorCode.StoreEmptied,
                        findings.Store.Store.Name,
                        $"it holds no snapshot at all, and {string.Join(", ", others)} do",
                        fix: "Mount its disk, if it is not mounted. Or restore from those by --store"
                    ),
                    Missing = [],
                };
            }
            else if (Lacks(findings, found[0].Entries, wanted) is { Count: > 0 } missing)
            {
                yield return new StoreGap { Store = findings.Store.Store.Name, Missing = [.. missing.Select(static id => id.ToString())] };
            }
        }
    }

    // What was removed from the primary, or was never there, and another store would keep too.
    private IEnumerable<StoreGap> OnlyInReplicas(StoreSurvey[] found, SnapshotRef? wanted)
    {
        HashSet<SnapshotId> inPrimary = [.. found[0].Entries.Where(static e => e.HasManifest).Select(static e => e.Id)];
        List<CatalogEntry> elsewhere = [.. found.SelectMany(static f => f.Entries).Where(e => !inPrimary.Contains(e.Id))];
        return found[0].CouldNotBeRead is not null
            ? []
            : found
                .Where(static f => f.CouldNotBeRead is null)
                .Select(f => new StoreGap
                {
                    Store = f.Store.Store.Name,
                    Missing =
                    [
                        .. Lacks(f, [.. found[0].Entries, .. elsewhere], wanted)
                            .Where(id => !inPrimary.Contains(id))
                            .Select(static id => id.ToString()),
                    ],
                })
                .Where(static g => g.Missing.Count > 0);
    }

    private List<SnapshotId> Lacks(StoreSurvey findings, IReadOnlyList<CatalogEntry> others, SnapshotRef? wanted) =>
        [
            .. findings
                .Store.Lacks(findings.Entries, others, clock.GetUtcNow())
                .Where(id => wanted is null or { IsLatest: true } || wanted.Id == id),
        ];

    private sealed record StoreSurvey
    {
        public required BackupStore Store { get; init; }

        public required IReadOnlyList<CatalogEntry> Entries { get; init; }

        public required IReadOnlyList<SnapshotCheck> Checks { get; init; }

        public IReadOnlyList<StoreProblem> Problems { get; init; } = [];

        public PgBackupException? Error { get; init; }

        // One that merely lacks the snapshot was read.
        public PgBackupException? CouldNotBeRead => Error is { Code: not ErrorCode.SnapshotMissing } error ? error : null;
    }
}

/// <summary>What a check of several stores found.</summary>
public sealed record CheckReport
{
    /// <summary>Each snapshot in each store, oldest first.</summary>
    public required IReadOnlyList<SnapshotCheck> Snapshots { get; init; }

    /// <summary>Stores that lack snapshots of the primary, or could not be checked.</summary>
    public required IReadOnlyList<StoreGap> Gaps { get; init; }

    /// <summary>What stores lack that only replicas hold: no failure, since runs copy from the primary alone.</summary>
    public required IReadOnlyList<StoreGap> OnlyInReplicas { get; init; }

    /// <summary>What is wrong in stores apart from their snapshots.</summary>
    public IReadOnlyList<StoreProblem> StoreProblems { get; init; } = [];

    /// <summary>Stores whose newest snapshot is too old; losses that nobody has confirmed; and what may keep the recipients of the newest
    /// one from decrypting it one day.</summary>
    public IReadOnlyList<Finding> Findings { get; init; } = [];

    /// <summary>Something was checked, all of it is right, and nothing had to be, or could not be, repaired.</summary>
    public bool IsRight =>
        Snapshots.Count > 0
        && Gaps.Count == 0
        && StoreProblems.Count == 0
        && Findings.All(static f => f.Severity != Severity.Error)
        && Snapshots.All(static s => s.Problems.Count == 0)
        && OnlyInReplicas.All(static g => g.Filled.Count == 0 && g.NotFilled.Count == 0);
}

/// <summary>What a store lacks.</summary>
public sealed record StoreGap
{
    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>Snapshots that another store has and this one's rules would keep, oldest first.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>Why it could not be checked, or null.</summary>
    public Finding? Problem { get; init; }

    /// <summary>What a repair has copied of what was missing.</summary>
    public IReadOnlyList<FilledGap> Filled { get; init; } = [];

    /// <summary>Why a repair could not copy the rest: damage that a look at the sizes did not see, for instance.</summary>
    public IReadOnlyList<Finding> NotFilled { get; init; } = [];
}

/// <summary>A whole snapshot that a repair copied.</summary>
public sealed record FilledGap
{
    /// <summary>The snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The store that had it.</summary>
    public required string From { get; init; }
}
