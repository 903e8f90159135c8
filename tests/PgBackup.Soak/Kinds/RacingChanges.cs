using System.Globalization;
using System.Text;

namespace PgBackup.Soak.Kinds;

/// <summary>
/// Migrations are carried out while a run takes its snapshot. Each holds at every commit: so many rows, such a sum, a function that can be
/// called.
/// A run may fail; but what it calls complete, restored, holds the same.
/// </summary>
internal sealed class RacingChanges : FaultKind
{
    private const string Create = """
        CREATE TABLE t1 (id int PRIMARY KEY, v text); INSERT INTO t1 SELECT i, 'v' FROM generate_series(1, 1000) i;
        CREATE TABLE t2 (id int PRIMARY KEY, v text); INSERT INTO t2 SELECT i, 'v' FROM generate_series(1, 1000) i;
        CREATE TABLE p (id int, v text) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (501); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (501) TO (1001);
        INSERT INTO p SELECT i, 'v' FROM generate_series(1, 1000) i;
        CREATE TYPE e AS ENUM ('x', 'z'); CREATE TABLE d (id int, v e); INSERT INTO d SELECT i, 'x' FROM generate_series(1, 500) i;
        CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + 1';
        CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t2;
        CREATE VIEW w AS SELECT id FROM t2;
        """;

    // The same answers at every commit of every change.
    private const string Invariant = """
        SELECT count(*), sum(id) FROM t1; SELECT count(*), sum(id) FROM t2; SELECT count(*), sum(id) FROM p;
        SELECT count(*), sum(id), count(v::text) FROM d; SELECT f(41); SELECT n FROM m; SELECT count(*) FROM w;
        """;

    private const string Held = "1000|500500\n1000|500500\n1000|500500\n500|125250|500\n42\n1000\n1000\n";

    private static readonly (string Name, string Sql)[] Changes =
    [
        ("truncate and refill", "BEGIN; TRUNCATE t1; INSERT INTO t1 SELECT i, 'n' FROM generate_series(1, 1000) i; WAIT; COMMIT;"),
        (
            "rewrite by a type",
            "BEGIN; ALTER TABLE t1 ALTER id TYPE bigint; WAIT; COMMIT; BEGIN; ALTER TABLE t1 ALTER id TYPE int; WAIT; " + "COMMIT;"
        ),
        ("cluster", "CLUSTER t1 USING t1_pkey;"),
        ("vacuum full", "VACUUM FULL t1;"),
        (
            "drop and create",
            "BEGIN; DROP TABLE t1; CREATE TABLE t1 (id int PRIMARY KEY, v text); INSERT INTO t1 SELECT i, 'n' FROM "
                + "generate_series(1, 1000) i; WAIT; COMMIT;"
        ),
        (
            "exchange by rename",
            "BEGIN; CREATE TABLE n (LIKE t1); INSERT INTO n SELECT * FROM t1; ALTER TABLE t1 RENAME TO o; ALTER "
                + "TABLE n RENAME TO t1; DROP TABLE o; ALTER TABLE t1 ADD PRIMARY KEY (id); WAIT; COMMIT;"
        ),
        (
            "detach, refill, attach",
            "BEGIN; ALTER TABLE p DETACH PARTITION p1; TRUNCATE p1; INSERT INTO p1 SELECT i, 'n' FROM "
                + "generate_series(1, 500) i; ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (1) TO (501); WAIT; COMMIT;"
        ),
        (
            "split a partition",
            "BEGIN; ALTER TABLE p DETACH PARTITION p2; DROP TABLE p2; CREATE TABLE p2 PARTITION OF p FOR VALUES FROM "
                + "(501) TO (1001); INSERT INTO p2 SELECT i, 'n' FROM generate_series(501, 1000) i; WAIT; COMMIT;"
        ),
        ("refresh", "BEGIN; REFRESH MATERIALIZED VIEW m; WAIT; COMMIT;"),
        (
            "drop and create a function",
            "BEGIN; DROP FUNCTION f(int); WAIT; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT " + "$1 + 1'; COMMIT;"
        ),
        (
            "rename an enum's value",
            "BEGIN; ALTER TYPE e RENAME VALUE 'x' TO 'y'; WAIT; COMMIT; BEGIN; ALTER TYPE e RENAME VALUE 'y' TO " + "'x'; WAIT; COMMIT;"
        ),
        ("index", "BEGIN; CREATE INDEX i ON t1 (v); WAIT; COMMIT; BEGIN; DROP INDEX i; COMMIT;"),
        ("unlogged and logged", "BEGIN; ALTER TABLE t1 SET UNLOGGED; WAIT; COMMIT; BEGIN; ALTER TABLE t1 SET LOGGED; WAIT; COMMIT;"),
        (
            "a column with a volatile default",
            "BEGIN; ALTER TABLE t1 ADD c float DEFAULT random(); WAIT; COMMIT; BEGIN; ALTER TABLE t1 " + "DROP c; WAIT; COMMIT;"
        ),
        ("rename a column", "BEGIN; ALTER TABLE t1 RENAME v TO w; WAIT; COMMIT; BEGIN; ALTER TABLE t1 RENAME w TO v; COMMIT;"),
        ("a table that comes and goes", "CREATE TABLE c (id int); WAIT; DROP TABLE c;"),
        ("replace a view", "BEGIN; DROP VIEW w; CREATE VIEW w AS SELECT id FROM t2 WHERE id > 0; WAIT; COMMIT;"),
    ];

    public override string Name => "racing changes";

    public override int Share => 60;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        string database = "race_" + strike.Number.ToString(CultureInfo.InvariantCulture);
        using Scene scene = await Scene.OpenAsync(strike, site, hasReplica: false);
        scene.Configure(
            "{}",
            "",
            databases: strike.Chance(0.5) ? [database] : [database, .. Contents.Databases],
            dump: strike.Chance(0.3) ? "{ jobs: 1 }" : ""
        );
        await site.Source.SqlAsync("postgres", $"CREATE DATABASE {database}");
        try
        {
            await site.Source.SqlAsync(database, Create);
            await RaceAsync(scene, database, Script(strike, site.Usual("run")));
            if (await site.Source.SqlAsync(database, Invariant) != Held)
            {
                strike.Find(Verdict.NotJudged, "the changes themselves do not hold what they should");
            }

            await Judge.NextRunAsync(scene);
            await HoldsAsync(scene, database, "latest");
        }
        finally
        {
            await site.Source.SqlAsync("postgres", $"DROP DATABASE {database} WITH (FORCE)");
        }
    }

    // Once at a random moment, or again and again.
    private static string Script(Strike strike, double usual)
    {
        var script = new StringBuilder();
        bool again = strike.Chance(0.4);
        int count = again ? 1 + strike.Random.Next(3) : 1;
        (string Name, string Sql)[] chosen = [.. Enumerable.Range(0, count).Select(_ => strike.Pick(Changes))];
        strike.Step($"{(again ? "again and again" : "once")}: {string.Join(", ", chosen.Select(static c => c.Name))}");
        if (!again)
        {
            script.Append(CultureInfo.InvariantCulture, $"SELECT pg_sleep({strike.Random.NextDouble() * usual:0.000});\n");
        }

        for (double left = again ? usual * 1.3 : 0.01; left > 0; )
        {
            double wait = strike.Random.NextDouble() * (again ? 0.15 : usual);
            left -= wait + 0.05;
            string sleep = string.Create(CultureInfo.InvariantCulture, $"SELECT pg_sleep({wait:0.000})");
            script
                .Append(
                    strike
                        .Pick(chosen)
                        .Sql.Replace("WAIT", sleep, StringComparison.Ordinal)
                        .Replace("; " + "", ";\n", StringComparison.Ordinal)
                )
                .Append('\n');
        }

        return script.ToString();
    }

    private static async Task RaceAsync(Scene scene, string database, string script)
    {
        Task<Outcome> changes = scene.Site.Source.TrySqlAsync(database, script);
        Outcome run = await scene.RunAsync("run");
        if (await changes is { ExitCode: not 0 } refused)
        {
            scene.Strike.Find(Verdict.NotJudged, $"a change was refused: {Outcomes.Tail(refused)}");
        }

        if (run.ExitCode is 0 or 3)
        {
            string id = scene.Snapshots().Last();
            if (!scene.Origin.Now.Contains(id) && (run.ExitCode == 0 || BaseStore.Proofs(scene.Workspace.Store, id).ContainsKey(database)))
            {
                await HoldsAsync(scene, database, id);
            }
        }
    }

    private static async Task HoldsAsync(Scene scene, string database, string id)
    {
        PostgresContainer target = await scene.Site.TargetAsync();
        Outcome restore = await scene.RunAsync([
            "restore",
            id,
            "--database",
            database,
            "--globals",
            "--target",
            target.Target,
            .. scene.Identity,
        ]);
        if (restore.ExitCode != 0)
        {
            scene.Strike.Find(Verdict.Lost, $"{id} is called complete and cannot be restored: {Outcomes.Tail(restore)}");
            return;
        }

        Outcome held = await target.TrySqlAsync(database, Invariant);
        if (held.ExitCode != 0 || held.Output != Held)
        {
            scene.Strike.Find(
                Verdict.FalselyGood,
                $"{id} was called complete and equal; restored it has " + $"{held.All.ReplaceLineEndings(" ")}"
            );
        }
    }
}
