using PgBackup.Storage;

namespace PgBackup.Records;

/// <summary>
/// The records of several stores as one: those of a name are the same record. Only names are listed, and only what is asked for is read. A
/// store that was away when a record was written lacks it; nobody copies it later.
/// </summary>
/// <param name="stores">All stores.</param>
/// <param name="clock">The time.</param>
public sealed class RecordLog(IReadOnlyList<IObjectStore> stores, TimeProvider clock)
{
    private const int ReadAtOnce = 8;

    // A year of nights, for a job that comes once a year.
    private const int MostSince = 400;

    private static readonly TimeSpan ListingTime = TimeSpan.FromSeconds(30);

    /// <summary>The newest records, the newest first.</summary>
    /// <param name="last">How many at most.</param>
    /// <param name="kind">Only those of a kind; null for all.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">The error of the first store, where none can be listed.</exception>
    public async Task<RecordListing> ListAsync(int last, RecordKind? kind, CancellationToken cancel)
    {
        (IReadOnlyList<NamedRecord> names, IReadOnlyList<Finding> found) = await NamesAsync(cancel);
        NamedRecord[] wanted = [.. names.Where(n => kind is null || n.Name.Kind == kind).Take(last)];
        return await ReadAsync(wanted, found, cancel);
    }

    /// <summary>The records of some kinds that began at a moment or later.</summary>
    /// <param name="since">The moment.</param>
    /// <param name="kinds">The kinds.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException">The error of the first store, where none can be listed.</exception>
    public async Task<RecordsSince> ListSinceAsync(DateTimeOffset since, IReadOnlyCollection<RecordKind> kinds, CancellationToken cancel)
    {
        (IReadOnlyList<NamedRecord> names, IReadOnlyList<Finding> found) = await NamesAsync(cancel);
        NamedRecord[] wanted = [.. names.Where(n => n.Name.Time >= since && kinds.Contains(n.Name.Kind)).Take(MostSince)];
        return new RecordsSince(await ReadAsync(wanted, found, cancel), names.Any(n => n.Name.Time < since && kinds.Contains(n.Name.Kind)));
    }

    /// <summary>The records whose names begin so: a whole name, or a time.</summary>
    /// <param name="name">The beginning.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>: there is none, or more than one; the error of the first store,
    /// where none can be listed.</exception>
    public async Task<RecordListing> FindAsync(string name, CancellationToken cancel)
    {
        (IReadOnlyList<NamedRecord> names, IReadOnlyList<Finding> found) = await NamesAsync(cancel);
        NamedRecord[] fitting = [.. names.Where(n => name.Length > 0 && n.Name.Name.StartsWith(name, StringComparison.Ordinal))];
        return fitting switch
        {
            [var one] => await ReadAsync([one], found, cancel),
            [] => throw new PgBackupException(
                ErrorCode.Usage,
                $"there is no record \"{name}\".",
                "`olympus-pgbackup log` shows those there are."
            ),
            _ => throw new PgBackupException(
                ErrorCode.Usage,
                $"{Words.Count(fitting.Length, "record")} begin with \"{name}\".",
                $"Name one: {string.Join(", ", fitting.Take(10).Select(static f => f.Name.Name))}{(fitting.Length > 10 ? ", ..." : "")}."
            ),
        };
    }

    private async Task<(IReadOnlyList<NamedRecord> Names, IReadOnlyList<Finding> Findings)> NamesAsync(CancellationToken cancel)
    {
        (IReadOnlyList<RecordName> Names, PgBackupException? Error)[] listed = await Task.WhenAll(
            stores.Select(s => NamesOfAsync(s, cancel))
        );
        if (listed.Length > 0 && listed.All(static l => l.Error is not null))
        {
            throw listed[0].Error!;
        }

        List<Finding> findings = [];
        Dictionary<string, (RecordName Name, List<IObjectStore> In)> merged = new(StringComparer.Ordinal);
        foreach ((IObjectStore store, (IReadOnlyList<RecordName> names, PgBackupException? error)) in stores.Zip(listed))
        {
            if (error is not null)
            {
                string what = $"the records in {store.Name} cannot be listed, and those that only it has are not shown";
                findings.Add(Finding.Of(Severity.Warning, ErrorCode.RecordsUnreadable, store.Name, what, error));
            }

            foreach (RecordName name in names)
            {
                if (!merged.TryGetValue(name.Name, out (RecordName Name, List<IObjectStore> In) one))
                {
                    merged[name.Name] = one = (name, []);
                }

                one.In.Add(store);
            }
        }

        return (
            [.. RecordName.NewestFirst(merged.Values.Select(static m => m.Name)).Select(n => new NamedRecord(n, merged[n.Name].In))],
            findings
        );
    }

    private async Task<(IReadOnlyList<RecordName> Names, PgBackupException? Error)> NamesOfAsync(
        IObjectStore store,
        CancellationToken cancel
    )
    {
        try
        {
            IReadOnlyList<RecordName> names = await Patience.RequireAsync(
                $"the store {store.Name}",
                c => new RecordsFolder(store).ListAsync(c),
                ListingTime,
                clock,
                cancel
            );
            return (names, null);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
        {
            return ([], e);
        }
    }

    private static async Task<RecordListing> ReadAsync(NamedRecord[] wanted, IReadOnlyList<Finding> found, CancellationToken cancel)
    {
        var entries = new RecordEntry[wanted.Length];
        var problems = new Finding?[wanted.Length];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, wanted.Length),
            new ParallelOptions { MaxDegreeOfParallelism = ReadAtOnce, CancellationToken = cancel },
            async (i, c) => (entries[i], problems[i]) = await ReadAsync(wanted[i], c)
        );
        return new RecordListing(entries, [.. found, .. problems.OfType<Finding>()]);
    }

    // From the first store that has one that can be understood.
    private static async Task<(RecordEntry Entry, Finding? Problem)> ReadAsync(NamedRecord wanted, CancellationToken cancel)
    {
        Finding? problem = null;
        Record? record = null;
        foreach (IObjectStore store in wanted.In)
        {
            try
            {
                record ??= await new RecordsFolder(store).TryReadAsync(wanted.Name, cancel);
            }
            catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
            {
                string what = $"{wanted.Name.Name} in {store.Name} cannot be read";
                problem ??= Finding.Of(Severity.Warning, ErrorCode.RecordsUnreadable, wanted.Name.Name, what, e);
            }
        }

        return (
            new RecordEntry
            {
                Name = wanted.Name,
                Stores = [.. wanted.In.Select(static s => s.Name)],
                Record = record,
            },
            record is null ? problem : null
        );
    }

    private sealed record NamedRecord(RecordName Name, IReadOnlyList<IObjectStore> In);
}

/// <summary>Records of several stores.</summary>
/// <param name="Entries">The newest first.</param>
/// <param name="Findings">What could not be read.</param>
public sealed record RecordListing(IReadOnlyList<RecordEntry> Entries, IReadOnlyList<Finding> Findings);

/// <summary>The records since a moment.</summary>
/// <param name="Listing">The records.</param>
/// <param name="HasEarlier">There are records of these kinds from before.</param>
public sealed record RecordsSince(RecordListing Listing, bool HasEarlier);

/// <summary>A record, and where it is.</summary>
public sealed record RecordEntry
{
    /// <summary>Its name.</summary>
    public required RecordName Name { get; init; }

    /// <summary>The stores that have it, in the config's order.</summary>
    public required IReadOnlyList<string> Stores { get; init; }

    /// <summary>What it says; null where it cannot be understood.</summary>
    public Record? Record { get; init; }
}
