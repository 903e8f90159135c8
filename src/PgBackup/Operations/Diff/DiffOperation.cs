using PgBackup.Configuration;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Diff;

/// <summary>What to compare.</summary>
public sealed record DiffRequest
{
    /// <summary>A snapshot, or the live databases.</summary>
    public required SnapshotRef From { get; init; }

    /// <summary>The same.</summary>
    public required SnapshotRef To { get; init; }

    /// <summary>The databases; empty for all, and the roles.</summary>
    public IReadOnlyList<string> Databases { get; init; } = [];

    /// <summary>Report what is the same, too.</summary>
    public bool All { get; init; }

    /// <summary>Refuses to compare a thing with itself, as far as its name shows.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>.</exception>
    public void RequireTwo()
    {
        if (From == To)
        {
            throw Same(From.ToString());
        }
    }

    internal static PgBackupException Same(string what) =>
        new(
            ErrorCode.Usage,
            $"{what} would be compared with itself.",
            "Name two snapshots, or a snapshot and live: `olympus-pgbackup diff latest live` shows what changed since the last one."
        );
}

/// <summary>
/// Finds what changed between two snapshots, from their manifests alone; or between a snapshot and the live databases, which are dumped
/// and read for it, each at one moment, and nothing is kept. Neither needs a key, takes a lock, or writes anything.
/// </summary>
public sealed class DiffOperation(BackupConfig config, IObjectStore store, TimeProvider clock, Progress progress)
{
    private readonly Catalog catalog = new(store, clock) { PassedOver = progress.Say };

    /// <summary>Compares. A live database that cannot be read is in the report.</summary>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.Usage"/>, <see cref="ErrorCode.PartMissing"/>, those of finding a snapshot, and those of a source of which
    /// nothing can be read.
    /// </exception>
    public async Task<DiffReport> RunAsync(DiffRequest request, CancellationToken cancel)
    {
        request.RequireTwo();
        SnapshotId? from = request.From.IsPrevious ? null : await FindAsync(request.From, cancel);
        SnapshotId? to = request.To.IsPrevious ? null : await FindAsync(request.To, cancel);
        from = request.From.IsPrevious ? await BeforeAsync(to, cancel) : from;
        to = request.To.IsPrevious ? await BeforeAsync(from, cancel) : to;
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

    // Null for the live databases.
    private async Task<SnapshotId?> FindAsync(SnapshotRef side, CancellationToken cancel) =>
        side.IsLive ? null : side.Id ?? (await catalog.LatestAsync(cancel)).Id;

    // Before the live databases, that is the newest.
    private async Task<SnapshotId> BeforeAsync(SnapshotId? other, CancellationToken cancel)
    {
        if (other is not { } end)
        {
            return (await catalog.LatestAsync(cancel)).Id;
        }

        return (await catalog.BeforeAsync(end, cancel))?.Id
            ?? throw new PgBackupException(
                ErrorCode.SnapshotMissing,
                $"the store {store.Name} ({store.Location}) has no complete snapshot before {end}.",
                "`olympus-pgbackup list` shows those it has."
            );
    }

    private async Task<DiffContent> ReadAsync(SnapshotId id, CancellationToken cancel)
    {
        (_, Manifest manifest) = await catalog.FindAsync(SnapshotRef.Of(id), cancel);
        Dictionary<string, string> missing = new(StringComparer.Ordinal);
        foreach (string name in manifest.LeftOut)
        {
            missing[name] = $"it was left out of {id}";
        }

        foreach (PartFailure failure in manifest.Failures.Where(static f => f.Part != PartKind.Globals.Word()))
        {
            missing[failure.Part] = $"it failed in {id} ({failure.Code})";
        }

        return new DiffContent
        {
            Side = new DiffSide
            {
                Name = id.ToString(),
                Place = $"{store.Name} ({store.Location})",
                Time = manifest.Started,
                ServerVersion = manifest.ServerVersion,
            },
            Proofs = manifest.Databases.ToDictionary(static p => p.Database!, static p => p.Proof, StringComparer.Ordinal),
            Missing = missing,
            Globals = manifest.Globals?.Proof,
            Settings = manifest.DumpSettings,
        };
    }

    // Before a server is asked to dump anything.
    private void RequireKnown(IReadOnlyList<string> wanted, DiffContent? first, DiffContent? second)
    {
        HashSet<string> known =
        [
            .. ((DiffContent?[])[first, second]).OfType<DiffContent>().SelectMany(static c => c.Proofs.Keys.Concat(c.Missing.Keys)),
        ];
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
                $"There are {string.Join(", ", known.Order(StringComparer.Ordinal))}."
            );
        }

        if (live && wanted.Count > 0 && config.Databases.All(d => !wanted.Contains(d.Name, StringComparer.Ordinal)))
        {
            throw new PgBackupException(
                ErrorCode.PartMissing,
                $"the config does not name {string.Join(", ", wanted.Select(static n => $"\"{n}\""))}, so that nothing live can be "
                    + $"compared.",
                "Name it under databases:, or compare two snapshots."
            );
        }
    }

    private Task<DiffContent> LiveAsync(IReadOnlyList<string> only, DiffContent other, CancellationToken cancel) =>
        new LiveProofs(config, other.Settings, clock, progress).ReadAsync(only, [.. other.Proofs.Keys], cancel);
}
