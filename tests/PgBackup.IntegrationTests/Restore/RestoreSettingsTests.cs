using System.Security.Cryptography;
using PgBackup.Archives;
using PgBackup.Proofs;
using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Restore;

/// <summary>Databases whose restore depends on settings, grantors, triggers and places, between two servers that are set
/// differently.</summary>
[Collection("other settings")]
public sealed class RestoreSettingsTests(OtherSettingsServers servers)
{
    [Fact]
    public async Task Values_are_worded_alike_on_servers_that_are_set_differently()
    {
        await servers.Source.SqlAsync("postgres", "CREATE DATABASE worded");
        await servers.Source.SqlAsync(
            "worded",
            """
            CREATE TABLE o (at timestamptz, b bytea, m money, CHECK (at > '2020-01-01 12:00+00'::timestamptz));
            INSERT INTO o SELECT '2026-01-01 00:00+00'::timestamptz + i * interval '5 days', decode(md5(i::text), 'hex'), i::money FROM generate_series(1, 60) i;
            CREATE VIEW v AS SELECT at AS "at" FROM o;
            """
        );
        using Workspace night = Workspace.ForContainer(servers.Source.Name, "none", ["worded"]);
        await night.BackupAsync();

        (await night.RunAsync(0, "restore", "-t", servers.Target.Target)).Output.ShouldContain("proven equal");
        (
            await night.RunAsync(0, "restore", "-t", servers.Target.Target, "-d", "worded", "--table", "o", "--as", "worded_o")
        ).Output.ShouldContain("equal");

        const string All =
            "SET timezone = 'UTC'; SET bytea_output = 'hex'; SELECT md5(string_agg(at::text || b::text || m::numeric, ',' ORDER BY "
            + "at)) FROM o";
        (await servers.Target.SqlAsync("worded", All)).ShouldBe(await servers.Source.SqlAsync("worded", All));
    }

    [Fact]
    public async Task An_array_without_a_value_is_none_whatever_the_database_sets()
    {
        await servers.Source.SqlAsync("postgres", "CREATE DATABASE arrays; ALTER DATABASE arrays SET array_nulls = off");
        await servers.Source.SqlAsync(
            "arrays",
            "CREATE TABLE o AS SELECT ARRAY[NULL, 'NULL', 'a']::text[] AS t; ALTER TABLE o ALTER t SET DEFAULT ARRAY[NULL]::text[]"
        );
        using Workspace night = Workspace.ForContainer(servers.Source.Name, "none", ["arrays"]);
        await night.BackupAsync();

        (await night.RunAsync(0, "restore", "-t", servers.Target.Target)).Output.ShouldContain("proven equal");
        (
            await night.RunAsync(0, "restore", "-t", servers.Target.Target, "-d", "arrays", "--table", "o", "--into-schema", "again")
        ).Output.ShouldContain("equal");

        const string Missing = "SELECT t[1] IS NULL, t[2] = 'NULL' FROM o";
        (await servers.Target.SqlAsync("arrays", Missing)).ShouldBe(await servers.Source.SqlAsync("arrays", Missing));
    }

    [Fact]
    public async Task A_snapshot_that_does_not_say_how_it_was_worded_is_compared_in_the_zone_that_its_times_tell()
    {
        await servers.Source.SqlAsync("postgres", "CREATE DATABASE older");
        await servers.Source.SqlAsync(
            "older",
            "CREATE TABLE o AS SELECT '2026-01-01 00:00+00'::timestamptz + i * interval '5 days' AS at FROM generate_series(1, 60) i"
        );
        using Workspace night = Workspace.ForContainer(servers.Source.Name, "none", ["older"]);
        string id = await night.BackupAsync();
        await MakeOlderAsync(night, id);

        Outcome outcome = await night.RunAsync(0, "restore", "-t", servers.Target.Target);

        outcome.Output.ShouldContain("proven equal");
        outcome.All.ShouldContain("it was compared with TimeZone=");
    }

    [Fact]
    public async Task Settings_of_a_database_are_there_before_its_rows()
    {
        await servers.Source.SqlAsync(
            "postgres",
            """
            CREATE DATABASE "set";
            ALTER DATABASE "set" SET timezone = 'Pacific/Auckland'; ALTER DATABASE "set" SET "app.region" = 'eu'; ALTER DATABASE "set" SET default_transaction_read_only = on;
            """
        );
        await servers.Source.SqlAsync(
            "set",
            """
            SET default_transaction_read_only = off;
            CREATE FUNCTION day(timestamptz) RETURNS date IMMUTABLE LANGUAGE sql AS 'SELECT $1::date';
            CREATE TABLE o (at timestamptz, d date GENERATED ALWAYS AS (day(at)) STORED, r text DEFAULT 'eu' CHECK (r = current_setting('app.region')));
            INSERT INTO o SELECT '2026-01-01 00:00+00'::timestamptz + i * interval '5 hours' FROM generate_series(1, 30) i;
            CREATE MATERIALIZED VIEW perday AS SELECT at::date AS d, count(*) AS n FROM o GROUP BY 1;
            """
        );
        using Workspace night = Workspace.ForContainer(servers.Source.Name, "none", ["set"]);
        await night.BackupAsync();

        Outcome outcome = await night.RunAsync(0, "restore", "-t", servers.Target.Target);
        await night.RunAsync(0, "restore", "-t", servers.Target.Target, "-d", "set", "--table", "o", "--as", "set_o");

        outcome.All.ShouldContain("the contents of 1 materialized view and of the generated columns of 1 table are not in a dump");
        const string Days = "SELECT md5(string_agg(d::text, ',' ORDER BY at)) FROM o";
        const string PerDay = "SELECT string_agg(d || '=' || n, ' ' ORDER BY d) FROM perday";
        string days = await servers.Source.SqlAsync("set", Days);
        (await servers.Target.SqlAsync("set", Days)).ShouldBe(days);
        (await servers.Target.SqlAsync("set_o", Days)).ShouldBe(days);
        (await servers.Target.SqlAsync("set", PerDay)).ShouldBe(await servers.Source.SqlAsync("set", PerDay));
    }

    [Fact]
    public async Task Grantors_login_triggers_and_a_tablespace_that_is_not_there_are_no_reason_to_fail()
    {
        await servers.Source.ExecAsync("sh", "-c", "mkdir -p /tmp/ts && chown postgres /tmp/ts");
        await servers.Source.SqlAsync("postgres", "CREATE TABLESPACE away LOCATION '/tmp/ts'");
        await servers.Source.SqlAsync("postgres", "CREATE ROLE grantor; CREATE ROLE grantee; CREATE DATABASE odd TABLESPACE away");
        await servers.Source.SqlAsync(
            "postgres",
            "GRANT CONNECT ON DATABASE odd TO grantor WITH GRANT OPTION; SET ROLE grantor; GRANT CONNECT ON DATABASE odd TO grantee"
        );
        await servers.Source.SqlAsync(
            "odd",
            """
            CREATE TABLE logins (who text, at timestamptz DEFAULT now());
            CREATE FUNCTION onlogin() RETURNS event_trigger SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.logins (who) VALUES (session_user); END';
            CREATE EVENT TRIGGER onlogin ON login EXECUTE FUNCTION onlogin(); ALTER EVENT TRIGGER onlogin ENABLE ALWAYS;
            CREATE EXTENSION pg_trgm; CREATE ROLE maker SUPERUSER; SET ROLE maker; CREATE EXTENSION hstore;
            """
        );
        using Workspace night = Workspace.ForContainer(servers.Source.Name, "none", ["odd"]);
        await night.BackupAsync();
        await servers.Target.SqlAsync("postgres", "SET default_transaction_read_only = off; CREATE ROLE grantor; CREATE ROLE grantee");

        Outcome outcome = await night.RunAsync(0, "restore", "-t", servers.Target.Target);

        outcome.Output.ShouldContain("proven equal");
        outcome.All.ShouldContain("the extension hstore belonged to maker, and belongs to postgres now");
        outcome.All.ShouldNotContain("the extension pg_trgm");
        const string Acl = "SELECT datacl FROM pg_database WHERE datname = 'odd'";
        (await servers.Target.SqlAsync("postgres", Acl)).ShouldBe(await servers.Source.SqlAsync("postgres", Acl));
    }

    [Fact]
    public async Task A_database_in_a_tablespace_is_the_same_as_its_snapshot_where_the_server_quotes_every_name()
    {
        await servers.Source.ExecAsync("sh", "-c", "mkdir -p /tmp/near && chown postgres /tmp/near");
        await servers.Source.SqlAsync("postgres", "CREATE TABLESPACE near LOCATION '/tmp/near'");
        await servers.Source.SqlAsync("postgres", "CREATE DATABASE nearby TABLESPACE near");
        await servers.Source.SqlAsync("nearby", "CREATE TABLE t AS SELECT 1 AS v");
        using Workspace night = Workspace.ForContainer(servers.Source.Name, "none", ["nearby"]);
        await night.BackupAsync();

        (await night.RunAsync(0, "diff", "latest", "live")).Output.ShouldContain("\nnearby: the same (");
    }

    [Fact]
    public async Task Triggers_of_a_partitioned_table_do_not_fire_for_rows_that_several_jobs_restore()
    {
        await servers.Source.SqlAsync("postgres", "CREATE DATABASE parts");
        await servers.Source.SqlAsync(
            "parts",
            """
            CREATE TABLE ev (id int, v int) PARTITION BY HASH (id);
            CREATE TABLE e0 PARTITION OF ev FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE e1 PARTITION OF ev FOR VALUES WITH (MODULUS 2, REMAINDER 1);
            CREATE TABLE ballast AS SELECT i, md5(i::text) FROM generate_series(1, 200000) i;
            INSERT INTO ev SELECT i, i FROM generate_series(1, 1000) i;
            CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v + 1000; RETURN NEW; END';
            CREATE TRIGGER t BEFORE INSERT ON ev FOR EACH ROW EXECUTE FUNCTION f();
            """
        );
        using Workspace night = Workspace.ForContainer(servers.Source.Name, "none", ["parts"]);
        await night.BackupAsync();

        (await night.RunAsync(0, "restore", "-t", servers.Target.Target, "--jobs", "4")).Output.ShouldContain("proven equal");

        (await servers.Target.SqlAsync("parts", "SELECT count(*) FROM ev WHERE v <> id")).Trim().ShouldBe("0");
    }

    // As an older version left it: dumped in a zone of its own, and nothing about it in the manifest.
    private async Task MakeOlderAsync(Workspace night, string id)
    {
        string file = night.PartFile(id, "older");
        await servers.Source.ExecAsync(
            "sh",
            "-c",
            "PGTZ=Europe/Berlin pg_dump -U postgres -Fc -f /tmp/older.dump older && pg_restore --create --no-tablespaces -f "
                + "/tmp/older.sql /tmp/older.dump"
        );
        await Shell.ReadAsync("podman", ["cp", $"{servers.Source.Name}:/tmp/older.dump", file]);
        string sql = Path.Combine(night.Folder, "older.sql");
        await Shell.ReadAsync("podman", ["cp", $"{servers.Source.Name}:/tmp/older.sql", sql]);
        byte[] bytes = await File.ReadAllBytesAsync(file);
        string sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes));
        using var script = new ScriptReader();
        script.Read(await File.ReadAllBytesAsync(sql));
        Manifest manifest = night.Manifest(id);
        Proof proof = script.Finish(manifest.Databases.Single().Proof.DumpMajor);
        manifest = manifest with
        {
            DumpSettings = null,
            Parts =
            [
                .. manifest.Parts.Select(p =>
                    p.Database is null
                        ? p
                        : p with
                        {
                            Size = bytes.Length,
                            PlainSize = bytes.Length,
                            Sha256 = sha256,
                            PlainSha256 = sha256,
                            Proof = proof,
                        }
                ),
            ],
        };
        await File.WriteAllBytesAsync(Path.Combine(night.SnapshotFolder(id), SnapshotLayout.Manifest), manifest.ToJson());
        File.Delete(Path.Combine(night.SnapshotFolder(id), SnapshotLayout.ManifestSum));
    }
}

/// <summary>A source and a target that word values differently; the target's role may not write by default.</summary>
public sealed class OtherSettingsServers : IAsyncLifetime
{
    internal PostgresContainer Source { get; private set; } = null!;

    internal PostgresContainer Target { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Source = await PostgresContainer.StartAsync("words");
        Target = await PostgresContainer.StartAsync("other-words");
        await Source.SqlAsync(
            "postgres",
            "ALTER SYSTEM SET timezone = 'America/New_York'; ALTER SYSTEM SET bytea_output = 'escape'; ALTER SYSTEM SET "
                + "quote_all_identifiers = on; SELECT pg_reload_conf()"
        );
        await Target.SqlAsync(
            "postgres",
            "ALTER SYSTEM SET timezone = 'Asia/Tokyo'; SELECT pg_reload_conf(); ALTER ROLE postgres SET default_transaction_read_only = on"
        );
        await Target.SqlAsync(
            "postgres",
            "SET default_transaction_read_only = off; ALTER DATABASE postgres SET default_transaction_read_only = on"
        );
    }

    public async ValueTask DisposeAsync()
    {
        await (Source?.DisposeAsync() ?? default);
        await (Target?.DisposeAsync() ?? default);
        GC.SuppressFinalize(this);
    }
}

[CollectionDefinition("other settings")]
public sealed class OtherSettingsGroup : ICollectionFixture<OtherSettingsServers>;
