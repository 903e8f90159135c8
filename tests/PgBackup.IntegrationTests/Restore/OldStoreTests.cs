namespace PgBackup.IntegrationTests.Restore;

/// <summary>
/// A store as a version of 2026-11-27 wrote it (tests/fixtures/old-store): a pinned and proven snapshot and the report of its drill. It
/// stays as it is; whatever changes, it is read as before.
/// </summary>
[Collection("other settings")]
public sealed class OldStoreTests(OtherSettingsServers servers)
{
    private const string Id = "20261127T133549Z";

    [Fact]
    public async Task A_store_of_an_older_version_is_listed_checked_restored_and_its_drills_are_read()
    {
        using var night = Workspace.ForContainer(servers.Source.Name, "none", ["shop"]);
        night.Configure(night.Config().Replace("cluster: test", "cluster: shop\nmax_age: 5000w", StringComparison.Ordinal));
        await Shell.ReadAsync("cp", ["--recursive", Path.Combine(Surroundings.Root, "tests", "fixtures", "old-store"), night.Store]);

        (await night.RunAsync(0, "list")).Output.ShouldContain(Id);
        (await night.RunAsync(0, "show", Id)).Output.ShouldContain("from before the moves");
        (await night.RunAsync(0, "check", "latest", "--read-data")).Output.ShouldContain($"{Id} ok");
        (await night.RunAsync(0, "drill", "--list")).Output.ShouldContain("passed");
        (await night.RunAsync(0, "restore", "--globals", "-t", servers.Target.Target)).Output.ShouldContain("proven equal");

        string content = await servers.Target.SqlAsync("shop", "SELECT count(*), sum(price) FROM items WHERE tags[2] IS NULL");
        content.TrimEnd().ShouldBe("20|262.50");
    }
}
