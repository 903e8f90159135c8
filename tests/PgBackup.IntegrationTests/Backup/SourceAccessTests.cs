using System.Text;
using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Backup;

/// <summary>How a source is reached, and by whom.</summary>
[Collection("olympus")]
public sealed class SourceAccessTests(OlympusCluster cluster)
{
    [Fact]
    public async Task A_role_under_row_security_fails_where_it_cannot_see_all_and_is_never_partial()
    {
        using var own = Workspace.ForContainer(cluster.Source.Name, "none", OlympusCluster.Databases, user: "reader");
        Outcome outcome = await own.RunAsync(3);
        outcome.Errors.ShouldContain("FAILED: ciam_kratos");
        outcome.Errors.ShouldContain("row-level security");
        outcome.Errors.ShouldContain("FAILED: olympus");
        outcome.Errors.ShouldContain("permission denied for large object");

        string id = outcome.Output.Split(' ')[0];
        Manifest manifest = own.Manifest(id);
        manifest.Databases.Select(static p => p.Database).ShouldBe(["ciam_hydra", "iam_kratos", "iam_hydra"]);
        Directory.GetFiles(own.SnapshotFolder(id)).ShouldNotContain(static f => f.Contains("ciam_kratos") || f.Contains("olympus.dump"));
        manifest.Notes.ShouldContain(static n => n.Contains("iam_hydra") && n.Contains("subscription"));
        // iam_hydra gives this role client_encoding = LATIN1, and holds more than that.
        Manifest whole = cluster.Workspace.Manifest(cluster.Snapshot);
        foreach (Part part in manifest.Databases)
        {
            part.Proof.Tables.ShouldBe(whole.Databases.Single(p => p.Database == part.Database).Proof.Tables, part.Database);
        }
    }

    [Fact]
    public async Task A_role_that_bypasses_row_security_gets_everything_and_notes_say_what_is_left_out()
    {
        using var own = Workspace.ForContainer(cluster.Source.Name, "none", OlympusCluster.Databases, user: "reader_bypass");
        Outcome outcome = await own.RunAsync(0);
        outcome.Errors.ShouldContain("note: iam_hydra: its subscriptions are not in the dump");
        outcome.Errors.ShouldContain("note: olympus: users and passwords of foreign servers are not in the dump");
        Manifest whole = cluster.Workspace.Manifest(cluster.Snapshot);
        foreach (Part part in own.Manifest(outcome.Output.Split(' ')[0]).Databases)
        {
            Part expected = whole.Databases.Single(p => p.Database == part.Database);
            part.Proof.Tables.ShouldBe(expected.Proof.Tables, part.Database);
            part.Proof.LargeObjects.ShouldBe(expected.Proof.LargeObjects, part.Database);
        }
    }

    [Fact]
    public async Task A_URL_with_tools_of_an_image_backs_up_and_restores_and_shows_its_password_nowhere()
    {
        using var own = new Workspace(UrlConfig($"{{ image: \"{Surroundings.Image}\" }}", "iam_kratos", "iam_hydra"));
        await File.WriteAllTextAsync(PasswordFile(own), PostgresContainer.Password + "\n", TestContext.Current.CancellationToken);
        own.Configure(own.Config().Replace("PASSWORDFILE", PasswordFile(own), StringComparison.Ordinal));
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(3);
        StringBuilder arguments = new();
        foreach (string process in Directory.GetDirectories("/proc").Where(static p => char.IsAsciiDigit(Path.GetFileName(p)[0])))
        {
            try
            {
                arguments
                    .Append(await File.ReadAllTextAsync(Path.Combine(process, "cmdline"), TestContext.Current.CancellationToken))
                    .Append('\n');
            }
            catch (IOException)
            {
                // it has ended
            }
        }

        hold.Release();
        Outcome outcome = await run.EndAsync();
        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        arguments.ToString().ShouldContain("olympus-pgbackup-tools-");
        arguments.ToString().ShouldNotContain(PostgresContainer.Password);
        outcome.All.ShouldNotContain(PostgresContainer.Password);
        Directory
            .GetFiles(own.Store, "*.*", SearchOption.AllDirectories)
            .Where(static f => f.EndsWith(".json") || f.EndsWith(".md"))
            .ShouldAllBe(static f => !File.ReadAllText(f).Contains(PostgresContainer.Password));

        await own.RunAsync(
            0,
            "restore",
            "-t",
            $"postgres://postgres@127.0.0.1:{cluster.Target.Port}/",
            "--target-password-file",
            PasswordFile(own),
            "--tools-image",
            Surroundings.Image,
            "--globals",
            "--jobs",
            "2",
            "-i",
            cluster.Keys.OpsSecret
        );
        (await Fingerprint.OfContentsAsync(cluster.Target, "iam_hydra")).ShouldBeSameAs(
            await cluster.SourceContentsAsync("iam_hydra"),
            "contents"
        );
        await cluster.Target.ShouldBeCleanAsync();
        await cluster.Target.EmptyAsync();
        Workspace.HostShouldBeClean();
        await NoToolsContainerAsync();
    }

    [Fact]
    public async Task A_killed_run_by_URL_leaves_no_container_and_no_backend()
    {
        using var own = new Workspace(UrlConfig($"{{ image: \"{Surroundings.Image}\" }}", "ciam_kratos"));
        await File.WriteAllTextAsync(PasswordFile(own), PostgresContainer.Password, TestContext.Current.CancellationToken);
        own.Configure(own.Config().Replace("PASSWORDFILE", PasswordFile(own), StringComparison.Ordinal));
        using var hold = new Hold(own);
        await using RunningProgram run = own.Start();
        await hold.EnteredAsync(2);
        await run.SignalAsync("KILL");
        await run.EndAsync();
        await cluster.Source.ShouldBeCleanAsync();
        await NoToolsContainerAsync();
    }

    [Fact]
    public async Task A_wrong_password_is_told_without_telling_it()
    {
        using var own = new Workspace(UrlConfig($"{{ image: \"{Surroundings.Image}\" }}", "iam_kratos"));
        await File.WriteAllTextAsync(PasswordFile(own), "not-the-password", TestContext.Current.CancellationToken);
        own.Configure(own.Config().Replace("PASSWORDFILE", PasswordFile(own), StringComparison.Ordinal));
        Outcome outcome = await own.RunAsync(1);
        outcome.Errors.ShouldContain("PGB-0030");
        outcome.Errors.ShouldContain("password authentication failed");
        outcome.Errors.ShouldContain("check password_file");
        outcome.All.ShouldNotContain("not-the-password");
        own.Contents().ShouldBeEmpty();
    }

    [Fact]
    public async Task Tools_of_the_host_are_used_only_if_they_fit_the_server()
    {
        using var own = new Workspace(UrlConfig("host", "iam_kratos"));
        await File.WriteAllTextAsync(PasswordFile(own), PostgresContainer.Password, TestContext.Current.CancellationToken);
        own.Configure(own.Config().Replace("PASSWORDFILE", PasswordFile(own), StringComparison.Ordinal));
        string[] onHost = Directory.Exists("/usr/lib/postgresql")
            ? [.. Directory.GetDirectories("/usr/lib/postgresql").Select(static f => Path.GetFileName(f)!)]
            : [];
        Outcome outcome = await own.RunAsync();
        if (onHost.Contains("17"))
        {
            outcome.ExitCode.ShouldBe(0, outcome.ToString());
            return;
        }

        outcome.ExitCode.ShouldBe(1, outcome.ToString());
        outcome.Errors.ShouldContain(onHost.Length > 0 ? "PGB-0022" : "PGB-0020");
        outcome.Errors.ShouldContain("postgresql-client");
        if (onHost.Length > 0)
        {
            outcome.Errors.ShouldContain("the server runs Postgres 17.");
            outcome.Errors.ShouldContain($"found: {onHost.Order().Last()}.");
        }
    }

    // Other tests have such containers too, for as long as they run.
    private static Task NoToolsContainerAsync() =>
        Shell.UntilAsync(
            static async () =>
                (await Shell.ReadAsync("podman", ["ps", "--all", "--filter", "label=olympus-pgbackup=tools", "--format", "{{.Names}}"]))
                    .Trim()
                    .Length == 0,
            "no container of tools is left"
        );

    private static string PasswordFile(Workspace own) => Path.Combine(own.Folder, "password");

    private string UrlConfig(string tools, params string[] databases) =>
        $$"""
            cluster: test
            source:
              url: "postgres://postgres@127.0.0.1:{{cluster.Source.Port}}/"
              password_file: PASSWORDFILE
              tools: {{tools}}
            databases: [{{string.Join(", ", databases)}}]
            encryption: {{Workspace.Gpg(cluster.Keys, Keys.Ops)}}
            stores: [{ name: local, path: STORE }]
            """;
}
