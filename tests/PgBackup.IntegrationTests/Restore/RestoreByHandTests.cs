using System.Text;
using System.Text.RegularExpressions;
using PgBackup.Proofs;

namespace PgBackup.IntegrationTests.Restore;

/// <summary>The commands of RESTORE.md and of the runbook's part without olympus-pgbackup, run as they stand there.</summary>
[Collection("olympus")]
public sealed partial class RestoreByHandTests(OlympusCluster cluster) : IAsyncLifetime
{
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await cluster.Target.EmptyAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task The_commands_of_RESTORE_md_restore_a_gpg_snapshot_with_stock_tools()
    {
        await RunGuideAsync(cluster.Workspace, cluster.Snapshot, new() { ["GNUPGHOME"] = cluster.Keys.SecretHome });
        (await Fingerprint.OfRolesAsync(cluster.Target)).ShouldBeSameAs(await Fingerprint.OfRolesAsync(cluster.Source), "roles");
        foreach (string database in OlympusCluster.Databases)
        {
            (await Fingerprint.OfDatabaseItselfAsync(cluster.Target, database)).ShouldBeSameAs(
                await Fingerprint.OfDatabaseItselfAsync(cluster.Source, database),
                $"database of {database}"
            );
            (await Fingerprint.OfContentsAsync(cluster.Target, database)).ShouldBeSameAs(
                await cluster.SourceContentsAsync(database),
                $"contents of {database}"
            );
        }
    }

    [Fact]
    public async Task The_commands_of_RESTORE_md_restore_an_age_snapshot_read_only_databases_and_odd_names_included()
    {
        string[] odd = ["it's \"odd\" | 50% $HOME", "zwölf  Ü ☂", "-d=x"];
        foreach (string name in odd)
        {
            await cluster.Source.SqlAsync("postgres", $"CREATE DATABASE \"{name.Replace("\"", "\"\"")}\"");
            await cluster.Source.SqlAsync(
                name,
                $"CREATE TABLE t AS SELECT 'in here' AS v; ALTER DATABASE \"{name.Replace("\"", "\"\"")}\" SET "
                    + $"default_transaction_read_only = on"
            );
        }

        try
        {
            using var own = Workspace.ForContainer(cluster.Source.Name, Workspace.Age(cluster.Keys), odd);
            string id = await own.BackupAsync();
            await RunGuideAsync(own, id, new() { ["AGE_IDENTITY"] = cluster.Keys.AgeIdentity });
            foreach (string name in odd)
            {
                (await cluster.Target.SqlAsync(name, "SELECT v FROM t; SHOW default_transaction_read_only")).ShouldBe("in here\non\n");
            }
        }
        finally
        {
            foreach (string name in odd)
            {
                await cluster.Source.SqlAsync("postgres", $"DROP DATABASE \"{name.Replace("\"", "\"\"")}\"");
            }
        }
    }

    [Fact]
    public async Task Every_command_of_the_runbook_that_needs_stock_tools_only_works_as_it_stands_there()
    {
        using var elsewhere = new Workspace("cluster: test");
        string runbook = await File.ReadAllTextAsync(
            Path.Combine(Surroundings.Root, "docs", "restore.md"),
            TestContext.Current.CancellationToken
        );
        string[] blocks =
        [
            .. Blocks()
                .Matches(
                    runbook[runbook.IndexOf("\n## 2.", StringComparison.Ordinal)..runbook.IndexOf("\n## 3.", StringComparison.Ordinal)]
                )
                .Select(static b => b.Groups[1].Value),
        ];
        blocks.Length.ShouldBeGreaterThan(8);
        string backups = Path.Combine(elsewhere.Folder, "backups");
        Directory.CreateDirectory(backups);
        foreach (string tool in (string[])["psql", "pg_restore", "createdb"])
        {
            elsewhere.PutOnPath(
                tool,
                $"#!/bin/sh\nexec podman exec --interactive --env PGOPTIONS --env PGUSER {cluster.Target.Name} {tool} \"$@\"\n"
            );
        }

        // There is no bucket here: what is asked of `aws` is carried out on the folder.
        elsewhere.PutOnPath(
            "aws",
            $"#!/bin/sh\nset -e\ncase \"$1 $2\" in 's3 ls') ls {cluster.Workspace.Store};; 's3 cp') [ \"$3\" = --recursive ]; cp -r "
                + $"\"{cluster.Workspace.Store}/${{4##*/}}\" \"$5\";; *) exit 9;; esac\n"
        );
        var script = new StringBuilder("set -e -o pipefail\n");
        foreach (string block in blocks)
        {
            // Both ways of fetching fill the same folder; each restore by pg_restore --create needs the database to be missing.
            script.Append(block.Contains("rclone copy", StringComparison.Ordinal) ? $"rm -r {backups}/*\n" : "");
            script.Append(
                block.Contains("--create", StringComparison.Ordinal)
                    ? "psql --quiet --dbname=postgres --command='DROP DATABASE IF EXISTS olympus'\n"
                    : ""
            );
            script.Append(
                block
                    .Replace("20260301T030000Z", cluster.Snapshot, StringComparison.Ordinal)
                    .Replace("/backups/", backups + "/", StringComparison.Ordinal)
                    .Replace("olympus-postgres-new", cluster.Target.Name, StringComparison.Ordinal)
            );
        }

        Dictionary<string, string?> environment = new()
        {
            ["GNUPGHOME"] = cluster.Keys.SecretHome,
            ["PATH"] = $"{Path.Combine(elsewhere.Folder, "bin")}:{Environment.GetEnvironmentVariable("PATH")}",
            ["RCLONE_CONFIG"] = Path.Combine(elsewhere.Folder, "rclone.conf"),
        };
        string remote = Path.Combine(elsewhere.Folder, "remote", "olympus-backups");
        Directory.CreateDirectory(remote);
        await Shell.ReadAsync("cp", ["--archive", cluster.Workspace.Store, Path.Combine(remote, "olympus")]);
        await File.WriteAllTextAsync(
            environment["RCLONE_CONFIG"]!,
            $"[b2]\ntype = alias\nremote = {Path.GetDirectoryName(remote)}\n",
            TestContext.Current.CancellationToken
        );
        // From a file: the tools would read the rest of a script on stdin.
        string file = Path.Combine(elsewhere.Folder, "runbook.sh");
        await File.WriteAllTextAsync(file, script.ToString(), TestContext.Current.CancellationToken);
        Outcome outcome = await Shell.RunAsync("bash", [file], environment, elsewhere.Folder);

        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        outcome
            .Errors.Split('\n')
            .Where(static l =>
                l.Contains("ERROR", StringComparison.Ordinal) && !l.Contains("role \"postgres\" already exists", StringComparison.Ordinal)
            )
            .ShouldBeEmpty();
        (await cluster.Target.DatabasesAsync()).ShouldBe(["olympus", "olympus_march", "olympus_rescue"]);
        (await Fingerprint.OfContentsAsync(cluster.Target, "olympus")).ShouldBeSameAs(
            await cluster.SourceContentsAsync("olympus"),
            "contents"
        );
        TableProof settings = cluster
            .Workspace.Manifest(cluster.Snapshot)
            .Databases.Single(static p => p.Database == "olympus")
            .Proof.Tables["public.ciam_settings"];
        outcome.Output.ShouldContain($"ciam_settings|{settings.Rows}");
        (await cluster.Target.SqlAsync("olympus_rescue", "SELECT count(*) FROM ciam_settings")).ShouldBe($"{settings.Rows}\n");
    }

    // "For a server in a container, put PREFIX before psql or pg_restore and add --username=postgres."
    private async Task RunGuideAsync(Workspace workspace, string id, Dictionary<string, string?> environment)
    {
        string folder = workspace.SnapshotFolder(id);
        string guide = await File.ReadAllTextAsync(Path.Combine(folder, "RESTORE.md"), TestContext.Current.CancellationToken);
        string prefix = Prefix().Match(guide).Groups[1].Value.Replace("CONTAINER", cluster.Target.Name, StringComparison.Ordinal);
        prefix.ShouldStartWith("podman exec");
        var script = new StringBuilder("set -e -o pipefail\n");
        foreach (Match block in Blocks().Matches(guide))
        {
            script.Append(block.Groups[1].Value);
        }

        string commands = script.ToString();
        commands.ShouldContain("sha256sum -c SHA256SUMS");
        foreach (string tool in (string[])["psql", "pg_restore"])
        {
            string file = Path.Combine(workspace.Folder, "by-hand", tool);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            await File.WriteAllTextAsync(
                file,
                $"#!/bin/sh\nexec {prefix} {tool} --username=postgres \"$@\"\n",
                TestContext.Current.CancellationToken
            );
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        environment["PATH"] = $"{Path.Combine(workspace.Folder, "by-hand")}:{Environment.GetEnvironmentVariable("PATH")}";
        Outcome outcome = await Shell.RunAsync("bash", ["-s"], environment, folder, commands);
        outcome.ExitCode.ShouldBe(0, outcome.ToString());
        IEnumerable<string> errors = outcome
            .Errors.Split('\n')
            .Where(static l =>
                l.Contains("ERROR", StringComparison.Ordinal) || l.StartsWith("pg_restore: error", StringComparison.Ordinal)
            );
        errors.Where(static l => !l.Contains("role \"postgres\" already exists", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    [GeneratedRegex("^ *```sh\n(.*?)^ *```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Blocks();

    [GeneratedRegex("put `([^`]+)` before psql or pg_restore", RegexOptions.Singleline)]
    private static partial Regex Prefix();
}
