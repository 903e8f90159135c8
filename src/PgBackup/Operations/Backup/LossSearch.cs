using System.Collections.Concurrent;
using PgBackup.Losses;
using PgBackup.Snapshots;
using PgBackup.Storage.Local;

namespace PgBackup.Operations.Backup;

/// <summary>
/// What a new snapshot has less of than earlier ones. Those are read while the databases are dumped, and nothing that goes wrong with them
/// fails the run, or delays it by more than half a minute: it is a finding.
/// </summary>
internal sealed class LossSearch : IAsyncDisposable
{
    private const int AtOnce = 4;

    // Twenty manifests of ten thousand tables each. What is beyond it is older, and is not read.
    private const long MostBytes = 64 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EndingTime = TimeSpan.FromSeconds(2);

    private readonly Catalog catalog;
    private readonly Func<CancellationToken, Task<ConfirmationsReading>> confirmations;
    private readonly TimeProvider clock;
    private readonly CancellationTokenSource stop;
    private readonly Task<Earlier> reading;

    private LossSearch(
        Catalog catalog,
        IReadOnlyList<CatalogEntry> entries,
        IReadOnlyList<Catalog> others,
        Func<CancellationToken, Task<ConfirmationsReading>> confirmations,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        this.catalog = catalog;
        this.confirmations = confirmations;
        this.clock = clock;
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        CancellationToken ending = stop.Token;
        IReadOnlyList<CatalogEntry> chosen = LossReferences.Choose(entries, clock.GetUtcNow());
        reading = Task.Run(
            () => chosen.Count > 0 ? ReadAsync(catalog, chosen, ending) : ElsewhereAsync(others, ending),
            CancellationToken.None
        );
    }

    /// <summary>What tables may lose.</summary>
    public required TableClasses Classes { get; init; }

    /// <summary>Losses that were announced.</summary>
    public required IReadOnlyList<string> Expected { get; init; }

    /// <summary>Begins to read.</summary>
    /// <param name="catalog">Of the store with the snapshots.</param>
    /// <param name="entries">What it lists.</param>
    /// <param name="others">Of the other stores: where this one holds nothing to compare with, the first of them that does.</param>
    /// <param name="confirmations">Reads what persons have confirmed; asked only where a snapshot has losses.</param>
    /// <param name="config">What tables may lose.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Ends it.</param>
    public static LossSearch Start(
        Catalog catalog,
        IReadOnlyList<CatalogEntry> entries,
        IReadOnlyList<Catalog> others,
        Func<CancellationToken, Task<ConfirmationsReading>> confirmations,
        (TableClasses Classes, IReadOnlyList<string> Expected) config,
        TimeProvider clock,
        CancellationToken cancel
    ) => new(catalog, entries, others, confirmations, clock, cancel) { Classes = config.Classes, Expected = config.Expected };

    /// <summary>Compares.</summary>
    /// <param name="manifest">All of the new snapshot but its losses.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The same with its losses and findings, and what else is to be told of the run.</returns>
    public async Task<(Manifest Manifest, IReadOnlyList<Finding> Findings)> CompareAsync(Manifest manifest, CancellationToken cancel)
    {
        (Earlier earlier, IReadOnlyList<Finding> skipped) = await EarlierAsync(cancel);
        LossReport found = LossRules.Of(manifest, earlier.Manifests, Classes, earlier.Confirmations.Covers);
        (IReadOnlyList<Loss> losses, IReadOnlyList<Finding> unmet) = ExpectedLosses.Mark(found.Losses, Expected);
        // Later nights do not compare with a snapshot that was not compared itself: what it lacks nobody has seen.
        Finding[] blind = [.. skipped.Where(Manifest.IsBlind)];
        Manifest compared = manifest with
        {
            Losses = losses,
            Settled = found.Settled,
            Findings = [.. UncoveredDatabases.Of(earlier.Manifests is [var last, ..] ? last : null, manifest), .. found.Notes, .. blind],
        };
        return (compared, [.. LossFindings.Of(losses, manifest.Id, static _ => false), .. unmet, .. skipped.Except(blind)]);
    }

    /// <summary>Ends the reading, if it is still under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        Task ended = reading.ContinueWith(
            static t => t.Exception,
            CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default
        );
        // A store that cannot be interrupted is left behind.
        if (await Task.WhenAny(ended, Task.Delay(EndingTime, clock, CancellationToken.None)) == ended)
        {
            stop.Dispose();
        }
    }

    private async Task<(Earlier Earlier, IReadOnlyList<Finding> Skipped)> EarlierAsync(CancellationToken cancel)
    {
        try
        {
            Earlier earlier = await reading.WaitAsync(Patience, clock, cancel);
            return (earlier, earlier.Skipped);
        }
        catch (TimeoutException)
        {
            return (Earlier.None, [Skipped(new PgBackupException(ErrorCode.StoreUnavailable, "the store did not answer in time."))]);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            return (Earlier.None, [Skipped(e)]);
        }
    }

    private Finding Skipped(PgBackupException e)
    {
        string what = $"earlier snapshots in {catalog.Store.Name} cannot be read, so nobody knows what this one lacks";
        return Finding.Of(Severity.Warning, ErrorCode.ComparisonSkipped, catalog.Store.Name, what, e);
    }

    // A store that somebody emptied, or whose disk is not mounted, must not hide what is lost.
    private async Task<Earlier> ElsewhereAsync(IReadOnlyList<Catalog> others, CancellationToken cancel)
    {
        List<Finding> skipped = [];
        foreach (Catalog other in others)
        {
            try
            {
                IReadOnlyList<CatalogEntry> chosen = LossReferences.Choose(await other.ListAsync(cancel), clock.GetUtcNow());
                if (chosen.Count > 0)
                {
                    return await ReadAsync(other, chosen, cancel);
                }
            }
            catch (PgBackupException e) when (!cancel.IsCancellationRequested)
            {
                // A folder that a first run makes is not there yet.
                string what = $"{catalog.Store.Name} holds nothing to compare with, and {other.Store.Name} cannot be read";
                skipped.AddRange(
                    other.Store is LocalStore ? [] : [Finding.Of(Severity.Note, ErrorCode.ComparisonSkipped, other.Store.Name, what, e)]
                );
            }
        }

        return Earlier.None with
        {
            Skipped = skipped,
        };
    }

    private async Task<Earlier> ReadAsync(Catalog from, IReadOnlyList<CatalogEntry> chosen, CancellationToken cancel)
    {
        ConcurrentDictionary<SnapshotId, Manifest> read = [];
        ConcurrentDictionary<SnapshotId, PgBackupException> unreadable = [];
        await Parallel.ForEachAsync(
            WithinMemory(chosen),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel },
            async (entry, c) =>
            {
                (Manifest? manifest, PgBackupException? error) = await from.TryReadManifestAsync(entry, c);
                if (manifest is { IsComplete: true })
                {
                    read[entry.Id] = manifest;
                }
                else if (error is not null)
                {
                    unreadable[entry.Id] = error;
                }
            }
        );
        List<Manifest> manifests = [.. chosen.Select(e => read.GetValueOrDefault(e.Id)).OfType<Manifest>()];
        ConfirmationsReading? known = manifests.Any(static m => m.Losses.Any(static l => !l.IsExpected))
            ? await confirmations(cancel)
            : null;
        return new Earlier
        {
            Manifests = manifests,
            Confirmations = known?.Confirmations ?? Confirmations.None,
            Skipped = [.. known?.Problems ?? [], .. Unread(unreadable, manifests.Count)],
        };
    }

    private static IEnumerable<CatalogEntry> WithinMemory(IReadOnlyList<CatalogEntry> chosen)
    {
        long bytes = 0;
        return chosen.TakeWhile(e =>
        {
            bool fits = bytes < MostBytes;
            bytes += e.Objects.GetValueOrDefault(SnapshotLayout.Manifest);
            return fits;
        });
    }

    // `check` names them all; here it matters whether there was anything to compare with.
    private IEnumerable<Finding> Unread(IReadOnlyDictionary<SnapshotId, PgBackupException> unreadable, int read)
    {
        if (unreadable.Count > 0)
        {
            (SnapshotId id, PgBackupException error) = unreadable.MaxBy(static u => u.Key);
            string others = unreadable.Count > 1 ? $" and {unreadable.Count - 1} more" : "";
            yield return Finding.Of(
                read == 0 ? Severity.Warning : Severity.Note,
                ErrorCode.ComparisonSkipped,
                catalog.Store.Name,
                $"the new snapshot was not compared with {id}{others} in {catalog.Store.Name}",
                error
            );
        }
    }

    private sealed record Earlier
    {
        public static Earlier None { get; } =
            new()
            {
                Manifests = [],
                Confirmations = Confirmations.None,
                Skipped = [],
            };

        public required IReadOnlyList<Manifest> Manifests { get; init; }

        public required Confirmations Confirmations { get; init; }

        public required IReadOnlyList<Finding> Skipped { get; init; }
    }
}
