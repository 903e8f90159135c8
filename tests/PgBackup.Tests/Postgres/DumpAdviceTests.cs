using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class DumpAdviceTests
{
    [Theory]
    [InlineData(
        "ERROR:  invalid memory alloc request size 1258291203\npg_dump: detail: Command was: COPY public.files (id, body) TO stdout;",
        "A value of that table is too long for the text of COPY"
    )]
    [InlineData("ERROR:  canceling statement due to conflict with recovery", "The server is a standby")]
    [InlineData("FATAL:  terminating connection due to conflict with recovery", "The server is a standby")]
    [InlineData("FATAL:  sorry, too many clients already", "A run needs one connection for each database")]
    [InlineData(
        "ERROR:  permission denied for table t\npg_dump: detail: Query was: LOCK TABLE public.t IN ACCESS SHARE MODE",
        "GRANT pg_read_all_data"
    )]
    public void A_known_refusal_has_its_remedy(string said, string remedy) =>
        DumpAdvice.For("pg_dump of x failed with exit code 1:\n  " + said).ShouldNotBeNull().ShouldStartWith(remedy);

    [Fact]
    public void A_lock_that_is_not_given_may_be_a_prepared_transaction_s() =>
        DumpAdvice
            .For(
                "pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\npg_dump: detail: Query was: LOCK "
                    + "TABLE public.t IN ACCESS SHARE MODE"
            )
            .ShouldNotBeNull()
            .ShouldContain("ROLLBACK PREPARED");
}
