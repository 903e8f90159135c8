using PgBackup.Losses;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.Losses;

public sealed class UncoveredDatabasesTests
{
    private static readonly Manifest Before = Of("20260301T030000Z", ("ciam_kratos", 1000), ("olympus", 20)) with
    {
        ServerDatabases = ["ciam_kratos", "olympus", "postgres"],
    };

    [Fact]
    public void The_first_snapshot_warns_of_nothing() => UncoveredDatabases.Of(null, Before).ShouldBeEmpty();

    [Fact]
    public void A_database_that_appeared_on_the_server_and_is_in_no_config_is_told_once()
    {
        Manifest now = Of("20260302T030000Z", ("ciam_kratos", 1000), ("olympus", 20)) with
        {
            ServerDatabases = ["ciam_kratos", "olympus", "postgres", "wiki"],
        };

        UncoveredDatabases
            .Of(Before, now)
            .ShouldHaveSingleItem()
            .Text.ShouldBe("the database wiki is on the server since 20260301T030000Z, and in no snapshot: the config does not name it");
        UncoveredDatabases.Of(now, now with { Id = "20260303T030000Z" }).ShouldBeEmpty();
    }

    [Fact]
    public void One_that_appeared_and_is_in_the_config_is_not_told()
    {
        Manifest now = Of("20260302T030000Z", ("ciam_kratos", 1000), ("olympus", 20), ("iam_kratos", 5)) with
        {
            ServerDatabases = ["ciam_kratos", "iam_kratos", "olympus", "postgres"],
        };

        UncoveredDatabases.Of(Before, now).ShouldBeEmpty();
    }

    [Fact]
    public void One_that_no_backup_took_and_that_is_gone_is_told()
    {
        Manifest with = Before with { ServerDatabases = ["ciam_kratos", "olympus", "wiki"] };

        UncoveredDatabases
            .Of(with, Before with { Id = "20260302T030000Z", ServerDatabases = ["ciam_kratos", "olympus"] })
            .ShouldHaveSingleItem()
            .Text.ShouldBe("the database wiki, which no backup took, was on the server at 20260301T030000Z, and is not there any more");
    }

    [Fact]
    public void Without_a_list_of_the_server_before_nothing_is_new() =>
        UncoveredDatabases
            .Of(
                Before with
                {
                    ServerDatabases = null,
                },
                Before with
                {
                    Id = "20260302T030000Z",
                    ServerDatabases = ["ciam_kratos", "olympus", "wiki"],
                }
            )
            .ShouldBeEmpty();

    private static Manifest Of(string id, params (string Name, long Rows)[] databases)
    {
        Manifest sample = ManifestSample.Of(SnapshotId.TryParse(id)!.Value);
        Part part = sample.Databases.First();
        return sample with
        {
            Parts =
            [
                sample.Globals!,
                .. databases.Select(d => part with { Database = d.Name, Object = d.Name, Proof = ManifestSample.Proof(d.Rows) }),
            ],
        };
    }
}
