using PgBackup.Neon;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Keys;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Status;

/// <summary>The figures of a status. Pure.</summary>
internal static class StatusFiguresOf
{
    /// <summary>Takes them from what was read.</summary>
    public static StatusFigures Read(StatusFacts facts)
    {
        StoreReading[] readable = [.. facts.Readings.Where(static r => r.IsReadable)];
        DrillReport? last = facts.Drills.Count > 0 ? facts.Drills[0] : null;
        double? restore = RestoreSeconds(facts, readable);
        decimal[] costs = [.. readable.Select(static r => StoreStatusOf.Cost(r)).OfType<decimal>()];
        return new StatusFigures
        {
            NewestComplete = Placed(readable, facts.Newest, facts.Now),
            NewestProven = Placed(readable, facts.Proven, facts.Now),
            LastDrill = last is null
                ? null
                : new StatusDrill
                {
                    Time = last.Started,
                    Snapshot = last.Snapshot,
                    Store = last.Store,
                    Passed = last.Passed,
                    RestoreSeconds = last.RestoreSeconds,
                },
            RestoreSeconds = restore,
            RecoverySeconds = restore + facts.Config.Drill.Redeploy.TotalSeconds,
            RtoSeconds = facts.Config.Drill.Rto.TotalSeconds,
            MaxAgeSeconds = facts.Config.MaxAge.TotalSeconds,
            Keys = [.. Keys(facts, readable)],
            CostPerMonth = costs.Length == 0 ? null : costs.Sum(),
            Rows = facts.Newest?.Databases.ToDictionary(static p => p.Name, static p => p.Proof.Rows) ?? [],
            Bytes = facts.Newest?.Databases.ToDictionary(static p => p.Name, static p => p.Size) ?? [],
            SkewMs = facts.Newest?.SkewMs,
            RunSeconds = facts.Newest is { } newest ? Math.Round((newest.Finished - newest.Started).TotalSeconds, 1) : null,
            Neon = facts.Neon?.Project is { } project ? Neon(facts, project) : null,
        };
    }

    private static StatusNeon Neon(StatusFacts facts, NeonProject project) =>
        new()
        {
            Project = project.Name,
            WindowSeconds = project.Window.TotalSeconds,
            ExpectedSeconds = facts.Config.Neon?.Window?.TotalSeconds,
            Branch = project.Branch?.Name,
            Host = project.Branch?.Host,
            Earliest = project.EarliestAt(facts.Now),
        };

    private static PlacedSnapshot? Placed(IReadOnlyList<StoreReading> readable, Manifest? manifest, DateTimeOffset now)
    {
        if (manifest is null || SnapshotId.TryParse(manifest.Id) is not { } id)
        {
            return null;
        }

        List<(string Store, CatalogEntry Entry)> copies =
        [
            .. readable.SelectMany(r =>
                r.Entries.Where(e => e.Id == id && e.IsComplete && e.Missing(manifest).Count == 0).Select(e => (r.Name, e))
            ),
        ];
        return new PlacedSnapshot
        {
            Id = manifest.Id,
            AgeSeconds = Math.Round((now - id.Time).TotalSeconds),
            Stores = [.. copies.Select(static c => c.Store)],
            Bytes = copies.Count > 0 ? copies[0].Entry.Bytes : 0,
        };
    }

    // The last good drill, scaled by bytes where both snapshots are still there. Fixed costs do not shrink: it is never less than measured.
    private static double? RestoreSeconds(StatusFacts facts, IReadOnlyList<StoreReading> readable)
    {
        if (facts.Drills.FirstOrDefault(static d => d.Passed) is not { } drill)
        {
            return null;
        }

        long? then = BytesOf(readable, drill.Snapshot);
        long? now = BytesOf(readable, facts.Newest?.Id);
        double scale = then > 0 && now is { } bytes ? Math.Max(1, bytes / (double)then.Value) : 1;
        return Math.Round(drill.RestoreSeconds * scale, 1);
    }

    private static long? BytesOf(IReadOnlyList<StoreReading> readable, string? id) =>
        readable.SelectMany(static r => r.Entries).FirstOrDefault(e => e.IsComplete && e.Id.ToString() == id)?.Bytes;

    private static IEnumerable<StatusKey> Keys(StatusFacts facts, IReadOnlyList<StoreReading> readable)
    {
        var survey = KeysSurvey.Of(readable.Select(static r => (r.Store.Store, r.Keys)));
        return (facts.Newest?.Recipients ?? []).Select(r => new StatusKey
        {
            Name = r.Name,
            Fingerprint = r.Fingerprint,
            LastTested = survey.LastTestOf(r.Fingerprint),
            Expires = r.Expires,
        });
    }
}
