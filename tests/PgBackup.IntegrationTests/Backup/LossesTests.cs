using System.Text.Json.Nodes;
using PgBackup.Proofs;
using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Backup;

/// <summary>A server of its own, whose tables these tests damage.</summary>
public sealed class LossyServer : IAsyncLifetime
{
    internal PostgresContainer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await PostgresContainer.StartAsync("losses");

    public async ValueTask DisposeAsync()
    {
        await (Server?.DisposeAsync() ?? ValueTask.CompletedTask);
        GC.SuppressFinalize(this);
    }
}

/// <summary>What a real server loses is red in the run, in the manifest, and by a mark in every store.</summary>
public sealed class LossesTests(LossyServer lossy) : IClassFixture<LossyServer>
{
    private const string Made = """"
        CREATE TABLE identities (id int PRIMARY KEY, traits text, state text);
        INSERT INTO identities SELECT g, 't' || g, 'active' FROM generate_series(1, 1000) g;
        CREATE TABLE identity_credentials (id int, config text); INSERT INTO identity_credentials SELECT g, 'c' FROM generate_series(1, 1000) g;
        CREATE TABLE sessions (id int, token text); INSERT INTO sessions SELECT g, 's' FROM generate_series(1, 500) g;
        CREATE TABLE notes (id int, "Some ""Text""" text); INSERT INTO notes SELECT g, 'n' FROM generate_series(1, 100) g;
        CREATE TABLE jobs (id int); INSERT INTO jobs SELECT g FROM generate_series(1, 100) g;
        CREATE TABLE events (id int, at date NOT NULL, twice int GENERATED ALWAYS AS (2) STORED) PARTITION BY RANGE (at);
        CREATE TABLE events_a PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
        CREATE TABLE events_b PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY HASH (id);
        CREATE TABLE "events B 0" PARTITION OF events_b FOR VALUES WITH (MODULUS 1, REMAINDER 0);
        INSERT INTO events SELECT g, '2026-01-15' FROM generate_series(1, 300) g;
        INSERT INTO events SELECT g, '2026-02-15' FROM generate_series(1, 300) g;
        """";

    [Fact]
    public async Task Each_loss_is_red_every_night_until_it_is_mended_and_janitors_alarm_nobody()
    {
        await lossy.Server.SqlAsync("postgres", "CREATE DATABASE ciam");
        await lossy.Server.SqlAsync("ciam", Made);
        using var own = Workspace.ForContainer(lossy.Server.Name, "none", ["ciam"]);
        string second = Path.Combine(own.Folder, "second");
        own.Configure(
            own.Config().Replace("stores:\n", $"losses: {{ ephemeral: [ciam.public.jobs] }}\nstores:\n", StringComparison.Ordinal)
        );
        own.Configure(own.Config().TrimEnd() + $"\n  - {{ name: second, path: {second} }}\n");
        string good = await own.BackupAsync();
        Shapes(own.Manifest(good))
            .ShouldBe([
                "public.\"events B 0\": id, at; part of public.events, 20260201",
                "public.events_a: id, at; part of public.events, 20260101",
                "public.identities: id, traits, state",
                "public.identity_credentials: id, config",
                "public.jobs: id",
                "public.notes: id, Some \"Text\"",
                "public.sessions: id, token",
            ]);

        // A janitor, a job, and a partition that is old.
        await lossy.Server.SqlAsync("ciam", "DELETE FROM sessions; DELETE FROM jobs; DROP TABLE events_a");
        string quiet = await own.BackupAsync();
        own.Manifest(quiet).Losses.ShouldBeEmpty();
        own.Manifest(quiet).Findings.Select(static f => f.Subject).ShouldBe(["ciam.public.events_a"]);
        Marks(own.Store, quiet).ShouldBeEmpty();

        await lossy.Server.SqlAsync(
            "ciam",
            "TRUNCATE identities; DROP TABLE identity_credentials; ALTER TABLE notes DROP COLUMN \"Some \"\"Text\"\"\""
        );
        for (int night = 0; night < 2; night++)
        {
            Outcome run = await own.RunAsync(0);
            string id = run.Output.Split('\n').Last(static l => l.Length > 0).Split(' ')[0];
            run.Errors.ShouldContain(
                $"FAILED: PGB-0165: ciam: the table public.identities is empty in {id}: {quiet} has it, with 1,000 rows"
            );
            run.Errors.ShouldContain($"FAILED: PGB-0124: ciam: the table public.identity_credentials is gone in {id}: {quiet} has it");
            run.Errors.ShouldContain($"FAILED: PGB-0164: ciam: the column Some \"Text\" of public.notes is gone in {id}");
            run.Errors.ShouldContain($"`olympus-pgbackup confirm {id} --table ");
            own.Manifest(id)
                .Losses.Select(l => $"{l.Kind.Word()} {l.Subject} {l.Before} {l.Now} {l.Since == quiet} {l.Severity.Word()}")
                .ShouldBe([
                    "table_emptied ciam.public.identities 1000 0 True error",
                    "table_gone ciam.public.identity_credentials 1000 0 True error",
                    "column_gone ciam.public.notes.Some \"Text\" 100 0 True error",
                ]);
            own.Manifest(id).Findings.ShouldBeEmpty();
            Marks(own.Store, id).ShouldBe([SnapshotLayout.Loss]);
            Marks(second, id).ShouldBe([SnapshotLayout.Loss]);
            File.ReadAllLines(Path.Combine(second, id, SnapshotLayout.Loss))
                .ShouldContain($"table_emptied: ciam.public.identities, 1000 rows in {quiet}, 0 now");
            JsonNode json = JsonNode.Parse((await own.RunAsync(0, "list", "--json")).Output)!;
            json.ToJsonString().ShouldContain(id);
        }

        // Mended; and what is announced is no alarm.
        await lossy.Server.SqlAsync(
            "ciam",
            """"
            INSERT INTO identities SELECT g, 't' || g, 'active' FROM generate_series(1, 900) g; ALTER TABLE notes ADD "Some ""Text""" text;
            CREATE TABLE identity_credentials (id int, config text); INSERT INTO identity_credentials SELECT g, 'c' FROM generate_series(1, 900) g;
            """"
        );
        Marks(own.Store, await own.BackupAsync()).ShouldBeEmpty();
        await lossy.Server.SqlAsync("ciam", "DROP TABLE notes");
        Outcome announced = await own.RunAsync(0, "run", "--expect-loss", "ciam.public.notes", "--expect-loss", "ciam.public.never");
        announced.Errors.ShouldNotContain("FAILED");
        announced.Errors.ShouldContain("note: PGB-0124: ciam: the table public.notes is gone in ");
        announced.Errors.ShouldContain("; it was expected");
        announced.Errors.ShouldContain("note: PGB-0166: the expected loss of ciam.public.never did not happen");
        string migrated = announced.Output.Split('\n').Last(static l => l.Length > 0).Split(' ')[0];
        own.Manifest(migrated).Losses.ShouldHaveSingleItem().IsExpected.ShouldBeTrue();
        Marks(own.Store, migrated).ShouldBeEmpty();
        own.Manifest(await own.BackupAsync()).Losses.ShouldBeEmpty();

        // The database itself.
        await lossy.Server.SqlAsync("postgres", "ALTER DATABASE ciam RENAME TO elsewhere; CREATE DATABASE other");
        own.Configure(
            own.Config().Replace("[\"ciam\"]", "[\"other\"]", StringComparison.Ordinal).Replace("ciam.public.jobs", "other.public.jobs")
        );
        string gone = await own.BackupAsync();
        own.Manifest(gone).Losses.ShouldHaveSingleItem().Kind.ShouldBe(LossKind.DatabaseGone);
        Marks(second, gone).ShouldBe([SnapshotLayout.Loss]);
        await lossy.Server.ShouldBeCleanAsync();
    }

    private static string[] Marks(string store, string id) =>
        [
            .. ((string[])[SnapshotLayout.Loss, SnapshotLayout.Confirmed, SnapshotLayout.Incomplete]).Where(m =>
                File.Exists(Path.Combine(store, id, m))
            ),
        ];

    private static IEnumerable<string> Shapes(Manifest manifest) =>
        manifest
            .Databases.Single()
            .Tables.ShouldNotBeNull()
            .Select(static t =>
                $"{t.Key}: {string.Join(", ", t.Value.Columns)}{Root(t.Value)}{(t.Value.Date is { } date ? $", {date}" : "")}"
            )
            .Order(StringComparer.Ordinal);

    private static string Root(TableShape shape) => shape.Root is { } root ? $"; part of {root}" : "";
}
