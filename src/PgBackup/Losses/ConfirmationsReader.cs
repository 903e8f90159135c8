using System.Collections.Concurrent;
using PgBackup.Records;
using PgBackup.Storage;

namespace PgBackup.Losses;

/// <summary>
/// Reads what persons have confirmed, from the records of all stores. A store that cannot be read, or does not answer within half a minute,
/// is a finding and no error: what was confirmed there alone then counts as not confirmed.
/// </summary>
public sealed class ConfirmationsReader(IReadOnlyList<IObjectStore> stores, TimeProvider clock)
{
    private const int AtOnce = 8;

    // One a week for twenty years.
    private const int MostRead = 1000;

    private const int MostNamed = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Reads them; a record is read from the first store that gives it whole.</summary>
    public async Task<ConfirmationsReading> ReadAsync(CancellationToken cancel)
    {
        Listing[] listings = await Task.WhenAll(stores.Select(s => ListAsync(s, cancel)));
        List<Finding> problems = [.. listings.Select(static l => l.Problem).OfType<Finding>()];
        IReadOnlyList<RecordName> names = RecordName.NewestFirst(listings.SelectMany(static l => l.Names).DistinctBy(static n => n.Name));
        if (names.Count > MostRead)
        {
            string what = $"there are {names.Count} confirmations of losses, and the newest {MostRead} of them are read";
            problems.Add(Finding.Warning(ErrorCode.ConfirmationsUnreadable, "", what));
        }

        ConcurrentDictionary<string, ConfirmationRecord> found = new(StringComparer.Ordinal);
        await Parallel.ForEachAsync(
            names.Take(MostRead),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel },
            async (name, stop) =>
            {
                if (await ReadAsync(name, listings, stop) is { } record)
                {
                    IEnumerable<Listing> lacking = listings.Where(l => l.Problem is null && !l.Has(name));
                    found[name.Name] = new ConfirmationRecord(name, record, [.. lacking.Select(static l => l.Store)]);
                }
            }
        );
        RecordName[] unreadable = [.. names.Take(MostRead).Where(n => !found.ContainsKey(n.Name))];
        problems.AddRange(unreadable.Take(MostNamed).Select(Unreadable));
        if (unreadable.Length > MostNamed)
        {
            string what = $"{unreadable.Length - MostNamed} more records of confirmations cannot be read, and confirm nothing";
            problems.Add(Finding.Warning(ErrorCode.ConfirmationsUnreadable, "", what));
        }

        return new ConfirmationsReading
        {
            Records = [.. names.Select(n => found.GetValueOrDefault(n.Name)).OfType<ConfirmationRecord>()],
            Problems = problems,
        };
    }

    private static Finding Unreadable(RecordName name) =>
        Finding.Warning(
            ErrorCode.ConfirmationsUnreadable,
            name.Name,
            $"the record {name.Key} cannot be read, and confirms nothing",
            "it is damaged, or a newer version wrote it",
            "Confirm again what it may have confirmed"
        );

    private async Task<Listing> ListAsync(IObjectStore store, CancellationToken cancel)
    {
        try
        {
            IReadOnlyList<RecordName> names = await LimitedAsync(stop => new RecordsFolder(store).ListAsync(stop), cancel);
            return new Listing(store, [.. names.Where(static n => n.Kind == RecordKind.Confirm)], null);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            string what = $"the store {store.Name} does not show which losses were confirmed";
            return new Listing(store, [], Finding.Of(Severity.Warning, ErrorCode.ConfirmationsUnreadable, store.Name, what, e));
        }
    }

    private async Task<Record?> ReadAsync(RecordName name, IEnumerable<Listing> listings, CancellationToken cancel)
    {
        foreach (Listing listing in listings.Where(l => l.Has(name)))
        {
            try
            {
                if (await LimitedAsync(stop => new RecordsFolder(listing.Store).TryReadAsync(name, stop), cancel) is { } record)
                {
                    return record;
                }
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
            {
                // Another store may have it; one that none has is a finding.
            }
        }

        return null;
    }

    // Some stores cannot be interrupted (a folder on a server that does not answer): they are left behind.
    private async Task<T> LimitedAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(Patience, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
        CancellationToken stop = both.Token;
        try
        {
            return await Task.Run(() => ask(stop), stop).WaitAsync(stop);
        }
        catch (Exception) when (limit.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new PgBackupException(ErrorCode.StoreUnavailable, "the store did not answer in time.");
        }
    }

    private sealed record Listing(IObjectStore Store, IReadOnlyList<RecordName> Names, Finding? Problem)
    {
        private readonly HashSet<string> there = [.. Names.Select(static n => n.Name)];

        public bool Has(RecordName name) => there.Contains(name.Name);
    }
}

/// <summary>What the stores know of confirmations.</summary>
public sealed record ConfirmationsReading
{
    /// <summary>The records that could be read, newest first.</summary>
    public required IReadOnlyList<ConfirmationRecord> Records { get; init; }

    /// <summary>What could not be read.</summary>
    public required IReadOnlyList<Finding> Problems { get; init; }

    /// <summary>What they confirm.</summary>
    public Confirmations Confirmations => field ??= new Confirmations(Records.Select(static r => r.Record));
}

/// <summary>A record of a confirmation.</summary>
/// <param name="Name">Its name, the same in all stores.</param>
/// <param name="Record">It.</param>
/// <param name="LackedBy">The stores that could be listed and do not have it.</param>
public sealed record ConfirmationRecord(RecordName Name, Record Record, IReadOnlyList<IObjectStore> LackedBy);
