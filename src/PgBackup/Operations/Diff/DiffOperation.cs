using PgBackup.Configuration;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Diff;

/// <summary>What to compare.</summary>
public sealed record DiffRequest
{
    /// <summary>The word for the databases of the config's source, as they are now.</summary>
    public const string Live = "live";

    /// <summary>The word for the complete snapshot before the other one.</summary>
    public const string Previous = "previous";

    /// <summary>A snapshot's id, <c>latest</c>, <see cref="Previous"/> or <see cref="Live"/>.</summary>
    public required string From { get; init; }

    /// <summary>The same.</summary>
    public required string To { get; init; }

    /// <summary>The databases; empty for all, and the roles.</summary>
    public IReadOnlyList<string> Databases { get; init; } = [];

    /// <summary>Report what is the same, too.</summary>
    public bool All { get; init; }

    /// <summary>Refuses to compare a thing with itself, as far as its name tells.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>.</exception>
    public void RequireTwo()
    {
        if (From == To)
        {
            throw Same(From);
        }
    }

    internal static PgBackupException Same(string what) => new(
        ErrorCode.Usage, $"{what} would be compared with itself.", "Name two snapshots, or a snapshot and live: `olympus-pgbackup diff latest live` tells what changed since the last one.");
}

/// <summary>
/// Tells what changed between two snapshots, from their manifests alone; or between a snapshot and the living databases, which are dumped
/// and read for it, each at one moment, and nothing is kept. Neither needs a key, takes a lock, or writes anything.
/// </summary>
public sealed class DiffOperation(BackupConfig config, IObjectStore store, TimeProvider clock, Progress progress)
{
    private readonly Catalog catalog = new(store) { PassedOver = line => progress.Log($"note: {line}") };

    /// <summary>Compares. A living database that cannot be read is in the report.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.Usage"/>, <see cref="ErrorCode.PartMissing"/>, those of finding a snapshot, and those of a source of which nothing can be read.
    /// </exception>
    public async Task<DiffReport> RunAsync(DiffRequest request, CancellationToken cancel)
    {
        request.RequireTwo();
        SnapshotId? from = request.From == DiffRequest.Previous ? null : await FindAsync(request.From, cancel);
        SnapshotId? to = request.To == DiffRequest.Previous ? null : await FindAsync(request.To, cancel);
        from = request.From == DiffRequest.Previous ? await BeforeAsync(to, cancel) : from;
        to = request.To == DiffRequest.Previous ? await BeforeAsync(from, cancel) : to;
        if (from == to)
        {
            throw DiffRequest.Same(from.ToString()!);
        }

        DiffContent? first = from is { } a ? await ReadAsync(a, cancel) : null;
        DiffContent? second = to is { } b ? await ReadAsync(b, cancel) : null;
        RequireKnown(request.Databases, first, second);
        first ??= await LiveAsync(request.Databases, second!, cancel);
        second ??= await LiveAsync(request.Databases, first, cancel);
        return DiffReport.Of(first, second, request.Databases, request.All);
    }

    // Null for the living databases.
    private async Task<SnapshotId?> FindAsync(string name, CancellationToken cancel) => name switch
    {
        DiffRequest.Live => null,
        "latest" => (await catalog.LatestAsync(cancel)).Id,
        _ => SnapshotId.TryParse(name) ?? throw new PgBackupException(
            ErrorCode.Usage,
            $"\"{name}\" is no snapshot id.",
            "An id looks like 20260301T030000Z; `latest` is the newest complete one, `previous` the complete one before the other, `live` the databases as they are now; `olympus-pgbackup list` shows them."),
    };

    // Before the living databases, that is the newest.
    private async Task<SnapshotId> BeforeAsync(SnapshotId? other, CancellationToken cancel)
    {
        if (other is not { } end)
        {
            return (await catalog.LatestAsync(cancel)).Id;
        }

        return (await catalog.BeforeAsync(end, cancel))?.Id ?? throw new PgBackupException(
            ErrorCode.SnapshotMissing, $"the store {store.Name} ({store.Location}) has no complete snapshot before {end}.", "`olympus-pgbackup list` shows those it has.");
    }

    private async Task<DiffContent> ReadAsync(SnapshotId id, CancellationToken cancel)
    {
        (_, Manifest manifest) = await catalog.FindAsync(id.ToString(), cancel);
        Dictionary<string, string> missing = new(StringComparer.Ordinal);
        foreach (string name in manifest.LeftOut)
        {
            missing[name] = $"it was left out of {id}";
        }

        foreach (PartFailure failure in manifest.Failures.Where(static f => f.Part != Part.GlobalsKind))
        {
            missing[failure.Part] = $"it failed in {id} ({failure.Code})";
        }

        return new DiffContent
        {
            Side = new DiffSide { Name = id.ToString(), Place = $"{store.Name} ({store.Location})", Time = manifest.Started, ServerVersion = manifest.ServerVersion },
            Proofs = manifest.Databases.ToDictionary(static p => p.Database!, static p => p.Proof, StringComparer.Ordinal),
            Missing = missing,
            Globals = manifest.Globals?.Proof,
            Settings = manifest.DumpSettings,
        };
    }

    // Before a server is asked to dump anything.
    private void RequireKnown(IReadOnlyList<string> wanted, DiffContent? first, DiffContent? second)
    {
        HashSet<string> known = [.. ((DiffContent?[])[first, second]).OfType<DiffContent>().SelectMany(static c => c.Proofs.Keys.Concat(c.Missing.Keys))];
        bool live = first is null || second is null;
        if (live)
        {
            known.UnionWith(config.Databases.Select(static d => d.Name));
        }

        List<string> unknown = [.. wanted.Where(w => !known.Contains(w))];
        if (unknown.Count > 0)
        {
            throw new PgBackupException(
                ErrorCode.PartMissing,
                $"neither has a database {string.Join(", ", unknown.Select(static n => $"\"{n}\""))}.",
                $"There are {string.Join(", ", known.Order(StringComparer.Ordinal))}.");
        }

        if (live && wanted.Count > 0 && config.Databases.All(d => !wanted.Contains(d.Name, StringComparer.Ordinal)))
        {
            throw new PgBackupException(
                ErrorCode.PartMissing,
                $"the config does not name {string.Join(", ", wanted.Select(static n => $"\"{n}\""))}, so that nothing living can be compared.",
                "Name it under databases:, or compare two snapshots.");
        }
    }

    private Task<DiffContent> LiveAsync(IReadOnlyList<string> only, DiffContent other, CancellationToken cancel) =>
        LiveProofs.ReadAsync(config, only, [.. other.Proofs.Keys], other.Settings, clock, progress, cancel);
}
