using PgBackup.Snapshots;

namespace PgBackup.Tests.Snapshots;

public sealed class SnapshotWarningsTests
{
    private static readonly Manifest Before = Of("20260301T030000Z", ("ciam_kratos", 1000), ("olympus", 20)) with { ServerDatabases = ["ciam_kratos", "olympus", "postgres"] };

    [Fact]
    public void The_first_snapshot_warns_of_nothing() => SnapshotWarnings.Of(null, Before).ShouldBeEmpty();

    [Fact]
    public void The_same_again_warns_of_nothing() => SnapshotWarnings.Of(Before, Before with { Id = "20260302T030000Z" }).ShouldBeEmpty();

    [Theory]
    [InlineData(1000, 501, false)]
    [InlineData(1000, 500, false)]
    [InlineData(1000, 499, true)]
    [InlineData(1000, 0, true)]
    [InlineData(1000, 5000, false)]
    [InlineData(11, 6, false)]
    [InlineData(11, 5, true)]
    [InlineData(10, 4, true)]
    [InlineData(9, 0, false)]
    [InlineData(0, 0, false)]
    [InlineData(long.MaxValue, long.MaxValue / 2, true)]
    [InlineData(long.MaxValue, (long.MaxValue / 2) + 1, false)]
    public void A_table_that_lost_more_than_half_of_its_rows_is_named_unless_it_had_hardly_any(long before, long after, bool warned)
    {
        IReadOnlyList<string> warnings = SnapshotWarnings.Of(Of("20260301T030000Z", ("olympus", before)), Of("20260302T030000Z", ("olympus", after)));

        warnings.Count.ShouldBe(warned ? 1 : 0);
        if (warned)
        {
            warnings[0].ShouldStartWith("olympus: the table public.identities lost more than half of its rows: ");
        }
    }

    [Fact]
    public void A_loss_is_told_with_both_numbers_and_the_snapshot_that_still_has_them() =>
        SnapshotWarnings.Of(Before, Of("20260302T030000Z", ("ciam_kratos", 3), ("olympus", 20)))
            .ShouldHaveSingleItem().ShouldBe("ciam_kratos: the table public.identities lost more than half of its rows: 1,000 in 20260301T030000Z, 3 now");

    [Fact]
    public void A_table_that_is_gone_is_told_as_gone()
    {
        Manifest now = Of("20260302T030000Z", ("ciam_kratos", 1000), ("olympus", 20));
        now.Databases.First().Proof.Tables.Remove("public.identities");

        SnapshotWarnings.Of(Before, now).ShouldHaveSingleItem().ShouldBe("ciam_kratos: the table public.identities is gone; it had 1,000 rows in 20260301T030000Z");
    }

    [Fact]
    public void Of_many_lost_tables_the_largest_are_named_and_the_others_counted()
    {
        Manifest before = Of("20260301T030000Z", ("olympus", 20));
        for (int i = 1; i <= 30; i++)
        {
            before.Databases.Single().Proof.Tables[$"public.t{i}"] = before.Databases.Single().Proof.Tables["public.identities"] with { Rows = 100 * i };
        }

        IReadOnlyList<string> warnings = SnapshotWarnings.Of(before, Of("20260302T030000Z", ("olympus", 20)));

        warnings.Count.ShouldBe(11);
        warnings[0].ShouldContain("public.t30 is gone; it had 3,000 rows");
        warnings[^1].ShouldBe("olympus: 20 more tables lost more than half of their rows since 20260301T030000Z: `olympus-pgbackup diff` names them");
    }

    [Fact]
    public void A_database_that_is_not_on_the_server_any_more_is_told()
    {
        Manifest now = Failed("PGB-0032", "ciam_kratos") with { ServerDatabases = ["olympus", "postgres"] };

        SnapshotWarnings.Of(Before, now).ShouldHaveSingleItem().ShouldBe("the database ciam_kratos is not on the server any more; the snapshot 20260301T030000Z has it, with 1,000 rows");
        SnapshotWarnings.Of(Before, now with { ServerDatabases = null }).ShouldHaveSingleItem().ShouldContain("is not on the server any more");
    }

    [Fact]
    public void A_database_that_failed_or_was_left_out_is_no_warning_of_its_own()
    {
        SnapshotWarnings.Of(Before, Failed("PGB-0021", "ciam_kratos") with { ServerDatabases = Before.ServerDatabases }).ShouldBeEmpty();
        SnapshotWarnings.Of(Before, Failed("PGB-0021", "ciam_kratos") with { ServerDatabases = null }).ShouldBeEmpty();
        SnapshotWarnings.Of(Before, Of("20260302T030000Z", ("olympus", 20)) with { LeftOut = ["ciam_kratos"] }).ShouldBeEmpty();
    }

    [Fact]
    public void A_database_that_the_config_no_longer_names_is_told_and_whether_it_is_still_there()
    {
        Manifest now = Of("20260302T030000Z", ("olympus", 20));

        SnapshotWarnings.Of(Before, now with { ServerDatabases = Before.ServerDatabases }).ShouldHaveSingleItem()
            .ShouldBe("the database ciam_kratos is in no backup any more: the config does not name it; the snapshot 20260301T030000Z has it, with 1,000 rows");
        SnapshotWarnings.Of(Before, now with { ServerDatabases = ["olympus"] })[0].ShouldContain("does not name it, and the server does not have it;");
    }

    [Fact]
    public void A_database_that_appeared_on_the_server_and_is_in_no_config_is_told_once()
    {
        Manifest now = Of("20260302T030000Z", ("ciam_kratos", 1000), ("olympus", 20)) with { ServerDatabases = ["ciam_kratos", "olympus", "postgres", "wiki"] };

        SnapshotWarnings.Of(Before, now).ShouldHaveSingleItem().ShouldBe("the database wiki is on the server since 20260301T030000Z, and in no snapshot: the config does not name it");
        SnapshotWarnings.Of(now, now with { Id = "20260303T030000Z" }).ShouldBeEmpty();
    }

    [Fact]
    public void One_that_appeared_and_is_in_the_config_is_not_told()
    {
        Manifest now = Of("20260302T030000Z", ("ciam_kratos", 1000), ("olympus", 20), ("iam_kratos", 5)) with { ServerDatabases = ["ciam_kratos", "iam_kratos", "olympus", "postgres"] };

        SnapshotWarnings.Of(Before, now).ShouldBeEmpty();
    }

    [Fact]
    public void One_that_no_backup_took_and_that_is_gone_is_told()
    {
        Manifest with = Before with { ServerDatabases = ["ciam_kratos", "olympus", "wiki"] };

        SnapshotWarnings.Of(with, Before with { Id = "20260302T030000Z", ServerDatabases = ["ciam_kratos", "olympus"] }).ShouldHaveSingleItem()
            .ShouldBe("the database wiki, which no backup took, was on the server at 20260301T030000Z, and is not there any more");
    }

    [Fact]
    public void Without_a_list_of_the_server_before_nothing_is_new() =>
        SnapshotWarnings.Of(Before with { ServerDatabases = null }, Before with { Id = "20260302T030000Z", ServerDatabases = ["ciam_kratos", "olympus", "wiki"] }).ShouldBeEmpty();

    private static Manifest Failed(string code, string database) =>
        Of("20260302T030000Z", ("olympus", 20)) with { Failures = [new PartFailure { Part = database, Code = code, Message = "it failed" }] };

    private static Manifest Of(string id, params (string Name, long Rows)[] databases)
    {
        Manifest sample = ManifestSample.Of(SnapshotId.TryParse(id)!.Value);
        Part part = sample.Databases.First();
        return sample with { Parts = [sample.Globals!, .. databases.Select(d => part with { Database = d.Name, Object = d.Name, Proof = ManifestSample.Proof(d.Rows) })] };
    }
}
