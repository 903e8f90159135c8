using System.Globalization;
using System.Text.Json;
using PgBackup.Proofs;

namespace PgBackup.Postgres;

/// <summary>
/// How many locks a server can hold at once, and how many the restore of a snapshot takes: pg_dump, which reads the restored database for
/// the comparison, holds one on every table, view and sequence of it until its end (PostgreSQL manual, max_locks_per_transaction).
/// </summary>
internal static class LockTable
{
    /// <summary>What to do when a server's lock table is full.</summary>
    public const string Remedy =
        "The server's lock table is full: one transaction locks more tables than it has slots for. Raise max_locks_per_transaction on "
        + "the server and restart it;"
        + " max_locks_per_transaction * max_connections must be more than the number of tables, sequences and views of the database.";

    /// <summary>The connections of a scratch server: more than a drill takes, few enough for any host.</summary>
    public const int ScratchConnections = 64;

    // 270 bytes of shared memory each: 270 MB at most.
    private const long MostSlots = 1_000_000;
    private const long LeastSlots = 16_384;

    /// <summary>The words of a server whose lock table is full, or a failure that has them. The setting's name is the same in every
    /// language.</summary>
    public static bool IsFull(string message) =>
        message.Contains("max_locks_per_transaction", StringComparison.Ordinal)
        || message.Contains("out of shared memory", StringComparison.Ordinal);

    /// <summary>The fewest locks that are held at once for the comparison of one database: its tables and sequences. Views are not in
    /// a proof.</summary>
    public static long AtLeast(Proof proof) => proof.Tables.Count + proof.Sequences.Count;

    /// <summary>
    /// The most: everything that can be locked has a statement of its own. Large objects are not locked.
    /// </summary>
    public static long AtMost(Proof proof) => Math.Max(AtLeast(proof), proof.Schema.Count) + 1000;

    /// <summary>The settings of a scratch server for so many locks.</summary>
    public static IReadOnlyList<string> ScratchSettings(long locks)
    {
        long slots = Math.Clamp(locks, LeastSlots, MostSlots);
        return
        [
            string.Create(CultureInfo.InvariantCulture, $"max_connections={ScratchConnections}"),
            string.Create(CultureInfo.InvariantCulture, $"max_locks_per_transaction={PerTransaction(slots, ScratchConnections)}"),
        ];
    }

    /// <summary>A sentence where a server is known to have too few for the comparison, with the value to set; null where it is
    /// not.</summary>
    /// <param name="proofs">Of the databases to be restored, by name.</param>
    /// <param name="session">At the server.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<string?> ForetellAsync(
        IReadOnlyList<(string Database, Proof Proof)> proofs,
        PsqlSession session,
        CancellationToken cancel
    )
    {
        if (proofs.Count == 0)
        {
            return null;
        }

        // lock.c: NLOCKENTS is max_locks_per_transaction times all backends and prepared transactions. A little more fits while other
        // tables of the shared memory are not full, so this is no refusal.
        JsonElement row = await session.QueryRowAsync(
            """
            SELECT (SELECT setting::bigint FROM pg_settings WHERE name = 'max_locks_per_transaction') AS each,
              (SELECT sum(setting::bigint) FROM pg_settings
                WHERE name IN ('max_connections', 'max_prepared_transactions', 'autovacuum_max_workers',
                 'autovacuum_worker_slots', 'max_worker_processes', 'max_wal_senders')) AS backends
            """,
            cancel
        );
        long each = row.GetProperty("each").GetInt64();
        long backends = row.GetProperty("backends").GetInt64();
        (string database, Proof most) = proofs.MaxBy(static p => AtLeast(p.Proof));
        return AtLeast(most) <= each * backends
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{database}: it has {AtLeast(most):N0} tables and sequences, and the target's server can hold {each * backends:N0} "
                    + $"locks for sure: it will be restored, and perhaps cannot be compared. Set max_locks_per_transaction = "
                    + $"{Math.Max(PerTransaction(proofs.Sum(static p => AtMost(p.Proof)), backends), each + 1)} there (it is "
                    + $"{each}), restart the server, and restore then."
            );
    }

    private static long PerTransaction(long slots, long backends) => (slots + backends - 1) / backends;
}
