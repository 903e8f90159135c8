using System.Text.Json;

namespace PgBackup.IntegrationTests.Restore;

/// <summary>Single tables, beside everything that is there.</summary>
[Collection("bad restores")]
public sealed class RestoreTablesTests(BadDaysCluster cluster) : IAsyncLifetime
{
    private Workspace own = null!;

    private PostgresContainer Server => cluster.Server;

    public async ValueTask InitializeAsync()
    {
        await Server.SqlAsync("postgres", "CREATE ROLE shopkeeper; CREATE DATABASE shop");
        await Server.SqlAsync(
            "shop",
            """
            CREATE TYPE public.mood AS ENUM ('good', 'bad');
            CREATE FUNCTION public.twice(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n * 2';
            CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TABLE public.people (id serial PRIMARY KEY, name text NOT NULL CHECK (name <> ''), feels public.mood DEFAULT 'good', double int GENERATED ALWAYS AS (public.twice(4)) STORED);
            CREATE INDEX people_by_feeling ON public.people (feels) WHERE id > 1; CREATE STATISTICS public.people_both ON name, feels FROM public.people;
            CREATE TABLE public.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int REFERENCES public.people, at timestamptz DEFAULT now());
            CREATE TABLE public.notes (person int REFERENCES public.people, text text);
            CREATE TABLE public.events (day date NOT NULL, what text) PARTITION BY RANGE (day);
            CREATE TABLE public.events_1 PARTITION OF public.events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
            CREATE TABLE public.events_2 PARTITION OF public.events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
            CREATE SCHEMA odd; CREATE TABLE odd."Some.Table" (v text); INSERT INTO odd."Some.Table" VALUES ('found');
            CREATE TRIGGER people_touch BEFORE UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION public.touch();
            INSERT INTO public.people (name, feels) VALUES ('Ana', 'good'), ('Ben', 'bad'), ('Eva', 'good');
            INSERT INTO public.orders (person) VALUES (1), (2); INSERT INTO public.notes VALUES (1, 'x');
            INSERT INTO public.events VALUES ('2026-01-05', 'a'), ('2026-02-05', 'b'), ('2026-02-06', 'c');
            CREATE EXTENSION btree_gist; CREATE TABLE public.rooms (room int, during tstzrange, photo bytea, EXCLUDE USING gist (room WITH =, during WITH &&));
            INSERT INTO public.rooms VALUES (1, '[2026-01-01 12:00+00,2026-01-02)', 'a b'); ALTER DATABASE shop SET timezone = 'Pacific/Chatham'; ALTER DATABASE shop SET bytea_output = 'escape';
            ALTER TABLE public.people OWNER TO shopkeeper; GRANT SELECT ON public.people TO PUBLIC;
            """
        );
        own = cluster.Plain("shop");
        await own.BackupAsync();
        await Server.SqlAsync(
            "shop",
            "DELETE FROM public.notes; DELETE FROM public.orders; DELETE FROM public.people; INSERT INTO public.people (name) VALUES "
                + "('Zoe'); ALTER DATABASE shop SET timezone = 'UTC'; ALTER DATABASE shop RESET bytea_output"
        );
    }

    public async ValueTask DisposeAsync()
    {
        own.Dispose();
        await Server.SqlAsync(
            "postgres",
            """
            SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE NOT datistemplate AND datname NOT IN ('postgres', 'big', 'small', 'tiny')
            \gexec
            DROP ROLE shopkeeper;
            """
        );
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task Tables_come_into_a_new_schema_of_the_living_database_with_all_that_stands_alone_and_nothing_there_is_touched()
    {
        string before = await Fingerprint.OfContentsAsync(Server, "shop");
        Outcome outcome = await own.RunAsync(
            0,
            "restore",
            "-t",
            Server.Target,
            "-d",
            "shop",
            "--table",
            "public.people",
            "--table",
            "orders",
            "--table",
            "public.events",
            "--table",
            "odd.\"Some.Table\"",
            "--table",
            "public.rooms",
            "--into-schema",
            "Rescued 1"
        );

        outcome.Errors.ShouldContain(
            "tables of shop: public.people, public.orders, public.events, public.events_1, public.events_2, odd.Some.Table, public.rooms"
        );
        outcome.Errors.ShouldContain("not brought: trigger people people_touch");
        outcome.Errors.ShouldNotContain("orders_person_fkey");
        outcome.Output.ShouldContain("tables restored and proven equal: 7 tables of shop");
        (await Server.SqlAsync("shop", "SELECT id, name, feels, double FROM \"Rescued 1\".people ORDER BY 1")).ShouldBe(
            "1|Ana|good|8\n2|Ben|bad|8\n3|Eva|good|8\n"
        );
        (
            await Server.SqlAsync(
                "shop",
                "SELECT count(*), max(what) FROM \"Rescued 1\".events; SELECT v FROM \"Rescued 1\".\"Some.Table\""
            )
        ).ShouldBe("3|c\nfound\n");
        (
            await Server.SqlAsync(
                "shop",
                """
                SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = '"Rescued 1"'::regnamespace;
                SELECT conname FROM pg_constraint WHERE connamespace = '"Rescued 1"'::regnamespace AND contype IN ('c', 'f') ORDER BY 1;
                SELECT stxname FROM pg_statistic_ext WHERE stxnamespace = '"Rescued 1"'::regnamespace;
                SELECT DISTINCT relowner::regrole, relacl IS NULL FROM pg_class WHERE relnamespace = '"Rescued 1"'::regnamespace;
                SELECT has_schema_privilege('shopkeeper', 'Rescued 1', 'USAGE')
                """
            )
        ).ShouldBe("4\norders_person_fkey\npeople_name_check\npeople_both\npostgres|t\nf\n");

        // Its sequence is its own, and stands where it stood.
        (await Server.SqlAsync("shop", "INSERT INTO \"Rescued 1\".people (name) VALUES ('New') RETURNING id")).ShouldBe("4\n");
        (await Server.DatabasesAsync()).ShouldBe(["big", "shop", "small", "tiny"]);
        string drop = outcome.Output.Split('\n').Single(static l => l.Contains("DROP SCHEMA")).Trim();
        await Server.SqlAsync("shop", "SET client_min_messages = error; " + drop);
        (await Fingerprint.OfContentsAsync(Server, "shop")).ShouldBeSameAs(before, "the live database");
        await Server.ShouldBeCleanAsync();
    }

    [Fact]
    public async Task Tables_come_into_a_database_of_their_own_with_the_types_and_functions_that_they_need_and_nobody_else_gets_in()
    {
        Outcome outcome = await own.RunAsync(
            0,
            "restore",
            "-t",
            Server.Target,
            "-d",
            "shop",
            "--table",
            "public.people",
            "--table",
            "public.events_2",
            "--table",
            "rooms",
            "--as",
            "rescue",
            "--json"
        );
        using var report = JsonDocument.Parse(outcome.Output);
        report
            .RootElement.GetProperty("plan")
            .GetProperty("left")
            .EnumerateArray()
            .Select(static l => l.GetString())
            .ShouldBe(["table attach events_2", "trigger people people_touch"], ignoreOrder: true);
        report.RootElement.GetProperty("tables").EnumerateArray().Sum(static t => t.GetProperty("rows").GetInt64()).ShouldBe(6);
        (
            await Server.SqlAsync(
                "rescue",
                "SELECT name FROM people ORDER BY id; SELECT what FROM events_2 ORDER BY 1; SELECT last_value FROM people_id_seq"
            )
        ).ShouldBe("Ana\nBen\nEva\nb\nc\n3\n");
        (
            await Server.SqlAsync(
                "rescue",
                "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
            )
        ).ShouldBe("3\n");
        (await Server.SqlAsync("postgres", "SELECT has_database_privilege('public', 'rescue', 'CONNECT')")).ShouldBe("f\n");

        Outcome again = await own.RunAsync(1, "restore", "-t", Server.Target, "-d", "shop", "--table", "public.people", "--as", "rescue");
        again.Errors.ShouldContain("PGB-0071");
        again.Errors.ShouldContain("--into-schema");
    }

    [Fact]
    public async Task What_the_living_database_lacks_fails_the_restore_and_leaves_it_as_it_was()
    {
        await Server.SqlAsync("shop", "ALTER TYPE public.mood RENAME TO other");
        string before = await Fingerprint.OfContentsAsync(Server, "shop");
        Outcome outcome = await own.RunAsync(
            1,
            "restore",
            "-t",
            Server.Target,
            "-d",
            "shop",
            "--table",
            "public.people",
            "--into-schema",
            "rescued"
        );
        outcome.Output.ShouldContain("PGB-0073");
        outcome.Output.ShouldContain("type \"public.mood\" does not exist");
        outcome.Output.ShouldContain("shop was not changed");
        outcome.Output.ShouldContain("restore of tables FAILED");
        (await Fingerprint.OfContentsAsync(Server, "shop")).ShouldBeSameAs(before, "the live database");
        string drop = outcome.Output[outcome.Output.IndexOf("DROP DATABASE", StringComparison.Ordinal)..].Split('\n')[0];
        await Server.SqlAsync("postgres", drop);
        (await Server.DatabasesAsync()).ShouldBe(["big", "shop", "small", "tiny"]);
    }

    [Fact]
    public async Task A_schema_that_differs_where_it_went_is_told_with_the_statements_that_take_away_what_is_left()
    {
        await Server.SqlAsync(
            "shop",
            """
            CREATE FUNCTION public.meddle() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM rescued.people WHERE id = 2; END';
            CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION public.meddle();
            """
        );
        string before = await Fingerprint.OfContentsAsync(Server, "shop");
        Outcome outcome = await own.RunAsync(
            1,
            "restore",
            "-t",
            Server.Target,
            "-d",
            "shop",
            "--table",
            "public.people",
            "--into-schema",
            "rescued"
        );
        outcome.Output.ShouldContain("PGB-0074");
        outcome.Output.ShouldContain("public.people");
        outcome.Output.ShouldNotContain("shop was not changed");

        // What it was compared with is still there to look at.
        string copy = (await Server.DatabasesAsync()).Single(static d => d.StartsWith("shop_tables_", StringComparison.Ordinal));
        (await Server.SqlAsync(copy, "SELECT count(*) FROM rescued.people")).ShouldBe("3\n");
        foreach (string word in (string[])["DROP SCHEMA", "DROP DATABASE"])
        {
            string drop = outcome.Output[outcome.Output.IndexOf(word, StringComparison.Ordinal)..].Split('\n')[0];
            await Server.SqlAsync("shop", "SET client_min_messages = error; " + drop);
        }

        (await Fingerprint.OfContentsAsync(Server, "shop")).ShouldBeSameAs(before, "the live database");
        (await Server.DatabasesAsync()).ShouldBe(["big", "shop", "small", "tiny"]);
    }

    [Theory]
    [InlineData("PGB-0086", "shop", "peple", "rescued", "public.people")]
    [InlineData("PGB-0071", "shop", "public.people", "public", "schema \"public\" already")]
    [InlineData("PGB-0032", "elsewhere", "public.people", "rescued", "has no database \"elsewhere\"")]
    public async Task What_cannot_be_is_told_before_anything_is_changed(
        string code,
        string into,
        string table,
        string schema,
        string message
    )
    {
        Outcome outcome = await own.RunAsync(
            1,
            "restore",
            "-t",
            Server.Target,
            "-d",
            "shop",
            "--as",
            into,
            "--table",
            table,
            "--into-schema",
            schema
        );
        outcome.Errors.ShouldContain(code);
        outcome.Errors.ShouldContain(message);
        (await Server.DatabasesAsync()).ShouldBe(["big", "shop", "small", "tiny"]);
    }
}
