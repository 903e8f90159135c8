using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class RestoreErrorsTests
{
    private const string Extension = "pg_restore: error: could not execute query: ERROR:  must be owner of extension pg_trgm";
    private const string Comment = "Command was: COMMENT ON EXTENSION pg_trgm IS 'text similarity';";

    [Fact]
    public void The_comment_on_somebody_elses_extension_is_no_error()
    {
        var judged = RestoreErrors.Read(
            1,
            [
                "pg_restore: from TOC entry 3; 0 0 COMMENT EXTENSION pg_trgm ",
                Extension,
                Comment,
                "",
                "pg_restore: warning: errors ignored on restore: 1",
            ]
        );
        judged.Problems.ShouldBeEmpty();
        judged.Notes.ShouldHaveSingleItem().ShouldContain("COMMENT ON EXTENSION pg_trgm");
    }

    [Fact]
    public void Beside_another_error_only_that_one_is_told_with_its_statement_and_what_to_do()
    {
        var judged = RestoreErrors.Read(
            1,
            [
                Extension,
                Comment,
                "pg_restore: error: could not execute query: ERROR:  permission denied for schema x",
                "HINT:  none",
                "Command was: CREATE TABLE x.t (",
                "    v text",
                ");",
                "pg_restore: warning: errors ignored on restore: 2",
            ]
        );
        judged.Problems.Count.ShouldBe(4);
        judged.Problems[0].ShouldBe("pg_restore failed with exit code 1 and 1 error:");
        judged
            .Problems[1]
            .ShouldBe("pg_restore: error: could not execute query: ERROR:  permission denied for schema x (in: CREATE TABLE x.t ()");
        judged.Problems[2].ShouldStartWith("what to do: The role that restores may not do this.");
        judged.Problems[3].ShouldContain("GRANT CREATE ON SCHEMA");
        judged.Notes.Count.ShouldBe(1);
    }

    [Fact]
    public void Errors_that_were_counted_and_not_kept_still_count()
    {
        RestoreErrors
            .Read(1, [Extension, Comment, "pg_restore: warning: errors ignored on restore: 2"])
            .Problems[0]
            .ShouldContain("1 error");
        RestoreErrors.Read(1, [Extension, Comment]).Problems.ShouldNotBeEmpty();
        RestoreErrors.Read(139, [Extension, Comment, "pg_restore: warning: errors ignored on restore: 1"]).Problems.ShouldNotBeEmpty();
        RestoreErrors
            .Read(1, ["pg_restore: [archiver] whatever"])
            .Problems.ShouldBe(["pg_restore failed with exit code 1 and 0 errors:", "pg_restore: [archiver] whatever"]);
        RestoreErrors.Read(0, []).Problems.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(
        "pg_restore: error: COPY failed for table \"t\": ERROR:  function f(integer) does not exist",
        "SET search_path",
        "by --globals"
    )]
    [InlineData("pg_restore: error: could not execute query: ERROR:  role \"app\" does not exist", "by --globals", "SET search_path")]
    [InlineData(
        "pg_restore: error: COPY failed for table \"a\": ERROR:  new row for relation \"a\" violates check constraint \"a_k_check\"",
        "NOT VALID",
        "by --globals"
    )]
    public void What_to_do_fits_what_is_missing(string error, string advice, string other)
    {
        string all = string.Join('\n', RestoreErrors.Read(1, [error, "pg_restore: warning: errors ignored on restore: 1"]).Problems);

        all.ShouldContain(advice);
        all.ShouldNotContain(other);
    }
}
