using System.Text.Json.Nodes;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.App;

/// <summary>list, show and check, on a store with made-up snapshots.</summary>
public sealed class CatalogVerbsTests : IDisposable
{
    private readonly TestFolder folder = new();

    public CatalogVerbsTests()
    {
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nmax_age: 5000w\nsource: {{ podman: x }}\ndatabases: [olympus]\nencryption: none\nstores: [{{ name: local, path: "
                + $"{folder["store"]} }}]\n"
        );
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task An_empty_store_is_listed_as_such()
    {
        Directory.CreateDirectory(Path.Combine(folder.Path, "store"));
        AppResult result = await AppProcess.RunAsync(folder.Path, "list");

        (result.ExitCode, result.Errors).ShouldBe((0, ""));
        result.Output.ShouldContain($"({folder["store"]}) has no snapshots.");
        JsonNode.Parse((await AppProcess.RunAsync(folder.Path, "list", "--json")).Output)!.AsArray().ShouldBeEmpty();
    }

    [Fact]
    public async Task Each_snapshot_is_listed_with_its_state()
    {
        Put(ManifestSample.Of(ManifestSample.Id));
        Put(ManifestSample.Incomplete(SnapshotId.TryParse("20260302T030000Z")!.Value));
        Directory.CreateDirectory(folder["store/20260303T030000Z"]);
        File.WriteAllText(folder["store/20260303T030000Z/IN-PROGRESS"], "");
        Directory.CreateDirectory(folder["store/20260304T030000Z"]);
        File.WriteAllText(folder["store/20260304T030000Z/manifest.json"], "{");

        JsonArray listed = JsonNode.Parse((await AppProcess.RunAsync(folder.Path, "list", "--json")).Output)!.AsArray();
        string[] lines = (await AppProcess.RunAsync(folder.Path, "list")).Output.Split('\n');

        listed
            .Select(static l => $"{l!["id"]} {l["state"]}")
            .ShouldBe([
                "20260301T030000Z complete",
                "20260302T030000Z incomplete",
                "20260303T030000Z unfinished",
                "20260304T030000Z unreadable",
            ]);
        lines[0]
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .ShouldBe(["SNAPSHOT", "AGE", "STATE", "DATABASES", "ROWS", "STORED", "TOOK", "KEPT"]);
        lines[1].ShouldContain("complete            2  2,469,134  164.2 MB  3.5 s");
        lines[2].ShouldContain("failed: olympus");
        lines[4].ShouldContain("PGB-0063");
        lines[4].ShouldContain("its manifest cannot be read");
    }

    [Fact]
    public async Task One_snapshot_is_shown_in_full()
    {
        Put(ManifestSample.Incomplete(ManifestSample.Id));

        AppResult result = await AppProcess.RunAsync(folder.Path, "show", "20260301T030000Z", "--tables");

        result.ExitCode.ShouldBe(0);
        result.Output.Replace(folder["store"], "/backups").ShouldBeAsExpected("show.txt");
    }

    [Fact]
    public async Task Shown_as_json_it_is_the_manifest_itself()
    {
        Manifest manifest = ManifestSample.Of(ManifestSample.Id);
        Put(manifest);

        AppResult result = await AppProcess.RunAsync(folder.Path, "show", "--json");

        Manifest.Read(System.Text.Encoding.UTF8.GetBytes(result.Output), "x").ToJson().ShouldBe(manifest.ToJson());
    }

    [Fact]
    public async Task A_snapshot_whose_manifest_was_read_in_vain_is_listed_as_kept_for_that()
    {
        Put(ManifestSample.Of(ManifestSample.Id));
        Put(ManifestSample.Of(SnapshotId.TryParse("20260302T030000Z")!.Value));
        Directory.CreateDirectory(folder["store/20200101T030000Z"]);
        File.WriteAllText(folder["store/20200101T030000Z/manifest.json"], "{");
        File.WriteAllText(
            folder["olympus-pgbackup.yaml"],
            $"cluster: olympus\nmax_age: 5000w\nstores: [{{ name: local, path: {folder["store"]}, keep: {{ all: 1d }} }}]\n"
        );

        string[] lines = (await AppProcess.RunAsync(folder.Path, "list")).Output.Split('\n');

        lines[1].ShouldEndWith("; its manifest cannot be read");
        lines[2].ShouldEndWith("nothing keeps it");
        lines[4].ShouldContain("; 1 (");
        lines[5].ShouldContain("adds up to 1 snapshot, ");
    }

    [Fact]
    public async Task A_pin_is_answered_with_the_snapshots_id_and_its_note_is_shown()
    {
        Put(ManifestSample.Of(ManifestSample.Id));

        (await AppProcess.RunAsync(folder.Path, "pin", "latest", "--note", "before the migration")).ShouldBe(
            new AppResult(0, "20260301T030000Z is pinned in local.\n", "")
        );
        (await AppProcess.RunAsync(folder.Path, "show")).Output.ShouldContain("\npinned      before the migration\n");
        JsonNode pinned = JsonNode.Parse((await AppProcess.RunAsync(folder.Path, "pin", "latest", "--json")).Output)!;
        JsonNode unpinned = JsonNode.Parse((await AppProcess.RunAsync(folder.Path, "unpin", "latest", "--json")).Output)!;

        pinned.ToJsonString().ShouldBe("{\"id\":\"20260301T030000Z\",\"is_pinned\":true,\"note\":\"pinned\",\"stores\":[\"local\"]}");
        unpinned.ToJsonString().ShouldBe("{\"id\":\"20260301T030000Z\",\"is_pinned\":false,\"stores\":[\"local\"]}");
        (await AppProcess.RunAsync(folder.Path, "show")).Output.ShouldNotContain("pinned");
    }

    [Theory]
    [InlineData("show", 1, "PGB-0062")]
    [InlineData("show 20260309T030000Z", 1, "PGB-0062")]
    [InlineData("show yesterday", 2, "PGB-0002")]
    [InlineData("check", 1, "PGB-0062")]
    [InlineData("check 20260301T030000Z --all", 2, "PGB-0002")]
    [InlineData("list --store other", 2, "PGB-0002")]
    [InlineData("restore -t podman:x", 1, "PGB-0062")]
    [InlineData("restore -t nowhere", 2, "PGB-0002")]
    [InlineData("restore -t podman:", 2, "PGB-0002")]
    [InlineData("restore -t postgres://u@ep-x-pooler.neon.tech/", 1, "PGB-0031")]
    public async Task What_is_not_there_is_said_with_its_code(string arguments, int exitCode, string code)
    {
        Directory.CreateDirectory(Path.Combine(folder.Path, "store"));

        AppResult result = await AppProcess.RunAsync(folder.Path, arguments.Split(' '));

        result.Errors.ShouldStartWith($"olympus-pgbackup: {code}: ");
        result.Errors.ShouldContain("\n  what to do: ");
        (result.ExitCode, result.Output).ShouldBe((exitCode, ""));
    }

    [Theory]
    [InlineData("list", 0)]
    [InlineData("show", 1)]
    [InlineData("show 20260301T030000Z", 1)]
    [InlineData("check", 1)]
    [InlineData("check 20260301T030000Z", 1)]
    [InlineData("keys test", 1)]
    [InlineData("restore -t podman:x", 1)]
    [InlineData("restore 20260301T030000Z -t podman:x", 1)]
    [InlineData("drill", 1)]
    public async Task An_unknown_kind_of_encryption_is_told_as_of_a_newer_version(string arguments, int exitCode)
    {
        Put(ManifestSample.Of(ManifestSample.Id) with { Encryption = "pgp2", Tool = "9.9.9" });

        AppResult result = await AppProcess.RunAsync(folder.Path, arguments.Split(' '));

        string all = result.Output + result.Errors;
        result.ExitCode.ShouldBe(exitCode, all);
        all.ShouldContain("newer version");
        all.ShouldContain(arguments == "list" ? "PGB-0064" : "it is encrypted by \"pgp2\"");
        all.ShouldNotContain("damaged");
        all.ShouldNotContain("unreadable");
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    [InlineData("two\nlines")]
    [InlineData("two\rlines")]
    [InlineData("template1")]
    [InlineData("template0")]
    [InlineData("postgres")]
    [InlineData("Überüberüberüberüberüberüberüberüberüberüberüberüber")]
    public async Task A_database_is_restored_under_no_name_that_it_could_not_keep(string name)
    {
        Directory.CreateDirectory(folder["store"]);

        AppResult result = await AppProcess.RunAsync(folder.Path, "restore", "-t", "podman:x", "-d", "olympus", "--as", name);

        result.ExitCode.ShouldBe(2);
        result.Errors.ShouldStartWith("olympus-pgbackup: PGB-0002: --as \"");
        result.Errors.ShouldContain("is not a valid name for a restored database.");
    }

    [Fact]
    public async Task A_name_of_63_bytes_is_one()
    {
        Directory.CreateDirectory(folder["store"]);

        (
            await AppProcess.RunAsync(folder.Path, "restore", "-t", "podman:x", "-d", "olympus", "--as", new string('n', 63))
        ).Errors.ShouldContain("PGB-0062");
    }

    [Fact]
    public async Task A_check_of_all_snapshots_of_an_empty_store_fails_since_nothing_was_found_whole()
    {
        Directory.CreateDirectory(folder["store"]);

        AppResult result = await AppProcess.RunAsync(folder.Path, "check", "--all");

        (result.ExitCode, result.Errors).ShouldBe((1, ""));
        result.Output.ShouldEndWith("There are no snapshots to check.\n");
    }

    [Fact]
    public async Task A_check_of_a_snapshot_whose_objects_are_gone_fails()
    {
        Put(ManifestSample.Of(ManifestSample.Id, "none"));

        AppResult result = await AppProcess.RunAsync(folder.Path, "check");

        result.ExitCode.ShouldBe(1);
        result.Output.ShouldContain("20260301T030000Z-ciam_kratos.dump");
    }

    private void Put(Manifest manifest)
    {
        Directory.CreateDirectory(folder["store/" + manifest.Id]);
        File.WriteAllBytes(folder[$"store/{manifest.Id}/manifest.json"], manifest.ToJson());
    }
}
