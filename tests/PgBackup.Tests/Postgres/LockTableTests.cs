using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.Postgres;

public sealed class LockTableTests
{
    [Theory]
    [InlineData(0, 256)]
    [InlineData(100_000, 1563)]
    [InlineData(long.MaxValue, 15_625)]
    public void A_scratch_server_holds_what_is_asked_for_between_two_bounds(long locks, int each) =>
        LockTable.ScratchSettings(locks).ShouldBe(["max_connections=64", $"max_locks_per_transaction={each}"]);

    [Fact]
    public void At_most_as_many_locks_as_statements_at_least_as_many_as_tables_and_sequences()
    {
        Proof proof = ManifestSample.Proof(7);

        LockTable.AtLeast(proof).ShouldBe(proof.Tables.Count + proof.Sequences.Count);
        LockTable.AtMost(proof with { Schema = proof.Schema with { Count = 60_000 } }).ShouldBe(61_000);
    }

    [Theory]
    [InlineData("HINT:  You might need to increase \"max_locks_per_transaction\".")]
    [InlineData("TIPP:  Sie müssen möglicherweise max_locks_per_transaction erhöhen.")]
    public void A_full_lock_table_is_no_lock_that_somebody_holds(string hint)
    {
        string said =
            $"pg_dump: error: query failed: ERROR:  out of shared memory\n{hint}\npg_dump: detail: Query was: LOCK TABLE public.t IN "
            + $"ACCESS SHARE MODE";

        DumpAdvice.For(said).ShouldBe(LockTable.Remedy);
        RestoreErrors
            .Read(
                1,
                [
                    "pg_restore: error: could not execute query: ERROR:  out of shared memory " + hint,
                    "pg_restore: warning: errors ignored on restore: 1",
                ]
            )
            .Problems[^1]
            .ShouldBe("what to do: " + LockTable.Remedy);
    }
}
