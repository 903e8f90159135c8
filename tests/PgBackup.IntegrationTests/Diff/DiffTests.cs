using System.Text.Json.Nodes;
using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Diff;

/// <summary>What changed since the last snapshot: told by <c>diff</c>, and warned of by the next run where it is a loss.</summary>
[Collection("olympus")]
public sealed class DiffTests(OlympusCluster cluster)
{
    [Fact]
    public async Task Nothing_changed_between_a_snapshot_and_the_databases_that_it_was_just_taken_from()
    {
        using var own = Workspace.ForContainer(cluster.Source.Name, "none", OlympusCluster.Databases);
        await own.BackupAsync();

        Outcome diff = await own.RunAsync(0, "diff", "latest", "live");

        foreach (string database in OlympusCluster.Databases)
        {
            diff.Output.ShouldContain($"\n{database}: the same (");
        }

        diff.Output.ShouldContain("\n5 databases: 5 the same; tables: 0 changed, 0 new, 0 gone; 0 rows, 0; the roles are the same\n");
        await cluster.Source.ShouldBeCleanAsync();
    }

    [Fact]
    public async Task Losses_are_told_by_diff_at_once_and_by_the_next_run_which_succeeds_and_keeps_them()
    {
        await cluster.Target.EmptyAsync();
        await cluster.Target.SqlAsync("postgres", "CREATE DATABASE ledger; CREATE DATABASE notes");
        await cluster.Target.SqlAsync(
            "ledger",
            """
            CREATE TABLE entries AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 1000) g;
            CREATE TABLE doomed AS SELECT g FROM generate_series(1, 50) g;
            CREATE TABLE steady AS SELECT g FROM generate_series(1, 50) g;
            CREATE SEQUENCE numbers;
            """
        );
        using var own = Workspace.ForContainer(cluster.Target.Name, "none", ["ledger", "notes"]);
        (await own.RunAsync(0)).Errors.ShouldNotContain("WARNING");
        await cluster.Target.SqlAsync("postgres", "CREATE DATABASE wiki");
        await cluster.Target.SqlAsync(
            "ledger",
            "DELETE FROM entries WHERE id > 400; DROP TABLE doomed; UPDATE steady SET g = 51 WHERE g = 50; CREATE TABLE added (v "
                + "int); SELECT nextval('numbers')"
        );
        await using (await cluster.Target.HoldAsync("ledger", "SELECT pg_advisory_xact_lock(8028925746638971499)")) // as a backup under way would
        {
            Outcome live = await own.RunAsync(0, "diff", "latest", "live");
            live.Output.ShouldContain("\nledger: 4 of 4 tables changed, and the schema\n");
            live.Output.Split('\n')
                .Single(static l => l.StartsWith("  public.added ", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .ShouldBe(["public.added", "new", "0", "0", "0", "B", "0"]);
            live.Output.ShouldContain("\n  sequence public.numbers: 1 (not used yet) -> 1\n");
            live.Output.ShouldContain("\nnotes: the same (0 tables, 0 rows)\n");
        }

        Outcome run = await own.RunAsync(0);

        string id = run.Output.Split('\n').Last(static l => l.Length > 0).Split(' ')[0];
        string[] told =
        [
            $"WARNING: PGB-0125: ledger: the table public.entries has 400 rows in {id}, less than half: ",
            $"FAILED: PGB-0124: ledger: the table public.doomed is gone in {id}: ",
            "WARNING: PGB-0122: the database wiki is on the server since ",
        ];
        Manifest manifest = own.Manifest(id);
        (manifest.Findings.Count, manifest.Losses.Count).ShouldBe((1, 2));
        manifest.ServerDatabases.ShouldBe(["ledger", "notes", "postgres", "wiki"]);
        Outcome show = await own.RunAsync(0, "show");
        foreach (string line in told)
        {
            run.Errors.ShouldContain(line);
            show.Output.ShouldContain(line);
        }

        JsonNode diff = JsonNode.Parse((await own.RunAsync(0, "diff", "--json")).Output)!;
        diff["databases"]!.AsArray().Select(static d => $"{d!["database"]} {d["change"]}").ShouldBe(["ledger changed", "notes same"]);

        // One that the config names no longer is not gone for that.
        string config = own.Config();
        own.Configure(config.Replace(", \"notes\"]", "]", StringComparison.Ordinal));
        (await own.RunAsync(0, "diff", "latest", "live")).Output.ShouldContain("\nnotes: not compared: the config does not name it\n");
        own.Configure(config);

        // A database that is gone fails the backup; the comparison with the live ones goes on without it. The one before them is the
        // newest.
        await cluster.Target.SqlAsync("postgres", "DROP DATABASE notes");
        Outcome without = await own.RunAsync(1, "diff", "previous", "live");
        without.Output.ShouldStartWith($"from  {id}, ");
        without.Errors.ShouldContain("PGB-0100");
        without.Output.ShouldContain("\nledger: the same (");
        without.Output.ShouldContain("\nnotes: not compared: PGB-0032: ");
        (await own.RunAsync(3)).Errors.ShouldContain("FAILED: PGB-0121: the database notes is not in the snapshot ");
        await cluster.Target.ShouldBeCleanAsync();
        await cluster.Target.EmptyAsync();
    }
}
