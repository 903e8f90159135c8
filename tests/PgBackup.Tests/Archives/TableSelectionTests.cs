using System.Text;
using PgBackup.Archives;
using PgBackup.Proofs;

namespace PgBackup.Tests.Archives;

public sealed class TableSelectionTests
{
    private static readonly HashSet<string> NoExtensions = [];

    private readonly StringBuilder script = new();

    [Fact]
    public async Task A_table_comes_with_what_it_needs_and_what_is_its_own_and_leaves_the_rest()
    {
        Add(1, "public", "SCHEMA", "", "CREATE SCHEMA shop;");
        Add(2, "mood", "TYPE", "1", "CREATE TYPE shop.mood AS ENUM (\n    'good'\n);");
        Add(
            3,
            "people",
            "TABLE",
            "1 2",
            "CREATE TABLE shop.people (\n    id integer NOT NULL,\n    feels shop.mood\n);\n\n\nALTER TABLE shop.people OWNER TO keeper;"
        );
        Add(4, "people_id_seq", "SEQUENCE", "1 3", "CREATE SEQUENCE shop.people_id_seq\n    START WITH 1;");
        Add(5, "people_id_seq", "SEQUENCE OWNED BY", "4", "ALTER SEQUENCE shop.people_id_seq OWNED BY shop.people.id;");
        Add(6, "orders", "TABLE", "1", "CREATE TABLE shop.orders (\n    person integer\n);");
        Add(
            7,
            "people id",
            "DEFAULT",
            "3 4 3",
            "ALTER TABLE ONLY shop.people ALTER COLUMN id SET DEFAULT nextval('shop.people_id_seq'::regclass);"
        );
        Add(8, "people", "TABLE DATA", "3", "COPY shop.people (id, feels) FROM stdin;\n1\tgood\n-- TOC entry 99 (class 1259 OID 1)\n\\.");
        Add(9, "orders", "TABLE DATA", "6", "COPY shop.orders (person) FROM stdin;\n1\n\\.");
        Add(10, "people_id_seq", "SEQUENCE SET", "4", "SELECT pg_catalog.setval('shop.people_id_seq', 1, true);");
        Add(11, "people people_pkey", "CONSTRAINT", "3", "ALTER TABLE ONLY shop.people\n    ADD CONSTRAINT people_pkey PRIMARY KEY (id);");
        Add(12, "TABLE people", "COMMENT", "3", "COMMENT ON TABLE shop.people IS 'all';");
        Add(13, "TABLE people", "ACL", "3", "GRANT SELECT ON TABLE shop.people TO PUBLIC;");
        Add(
            14,
            "people touch",
            "TRIGGER",
            "3",
            "CREATE TRIGGER touch BEFORE UPDATE ON shop.people FOR EACH ROW EXECUTE FUNCTION shop.touch();"
        );
        Add(
            15,
            "orders orders_person_fkey",
            "FK CONSTRAINT",
            "3 6 11",
            "ALTER TABLE ONLY shop.orders\n    ADD CONSTRAINT orders_person_fkey FOREIGN KEY (person) REFERENCES shop.people(id);"
        );
        ArchiveOutline outline = await ReadAsync();

        var people = TableSelection.Of(outline, ["shop.people"], NoExtensions, "it");
        people.List.ShouldBe("1;\n2;\n3;\n4;\n5;\n7;\n8;\n10;\n11;\n12;\n");
        people.Left.ShouldBe(["trigger people touch"]);
        people.Sequences.ShouldBe([new TableName("shop", "people_id_seq")]);

        // Its foreign key needs the other table.
        TableSelection.Of(outline, ["orders"], NoExtensions, "it").Left.ShouldBe(["fk constraint orders orders_person_fkey"]);
        TableSelection.Of(outline, ["orders", "people"], NoExtensions, "it").List.ShouldContain("15;\n");
    }

    [Fact]
    public async Task Partitions_come_with_their_root_and_one_of_them_can_come_alone()
    {
        Add(1, "events", "TABLE", "", "CREATE TABLE public.events (\n    day date\n)\nPARTITION BY RANGE (day);");
        Add(2, "events_1", "TABLE", "1", "CREATE TABLE public.events_1 (\n    day date\n);");
        Add(
            3,
            "events_1",
            "TABLE ATTACH",
            "2 1",
            "ALTER TABLE ONLY public.events ATTACH PARTITION public.events_1 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');"
        );
        Add(4, "events_1", "TABLE DATA", "2", "COPY public.events_1 (day) FROM stdin;\n\\.");
        ArchiveOutline outline = await ReadAsync();

        var all = TableSelection.Of(outline, ["public.events"], NoExtensions, "it");
        (all.List, all.Left.Count).ShouldBe(("1;\n2;\n3;\n4;\n", 0));
        all.Tables.Count.ShouldBe(2);
        var one = TableSelection.Of(outline, ["public.events_1"], NoExtensions, "it");
        one.List.ShouldBe("2;\n4;\n");
        one.Left.ShouldBe(["table attach events_1"]);
    }

    [Fact]
    public async Task A_parent_that_is_inherited_from_comes_without_its_rows_and_rows_that_are_stored_with_the_root_are_told()
    {
        Add(1, "animal", "TABLE", "", "CREATE TABLE public.animal (\n    id integer\n);");
        Add(2, "cat", "TABLE", "1", "CREATE TABLE public.cat (\n    lives integer\n)\nINHERITS (public.animal);");
        Add(3, "animal", "TABLE DATA", "1", "COPY public.animal (id) FROM stdin;\n1\n\\.");
        Add(4, "cat", "TABLE DATA", "2", "COPY public.cat (id, lives) FROM stdin;\n1\t9\n\\.");
        Add(5, "by_mood", "TABLE", "", "CREATE TABLE public.by_mood (\n    v text\n)\nPARTITION BY HASH (v);");
        Add(6, "by_mood_0", "TABLE", "5", "CREATE TABLE public.by_mood_0 (\n    v text\n);");
        Add(
            7,
            "by_mood_0",
            "TABLE ATTACH",
            "6 5",
            "ALTER TABLE ONLY public.by_mood ATTACH PARTITION public.by_mood_0 FOR VALUES WITH (modulus 1, remainder 0);"
        );
        Add(8, "by_mood_0", "TABLE DATA", "6", "COPY public.by_mood (v) FROM stdin;\nx\n\\.");
        ArchiveOutline outline = await ReadAsync();

        var cat = TableSelection.Of(outline, ["cat"], NoExtensions, "it");
        cat.List.ShouldBe("1;\n2;\n4;\n");
        cat.Defined.ShouldBe([new TableName("public", "animal")]);
        TableSelection.Of(outline, ["animal"], NoExtensions, "it").Left.ShouldBe(["table cat"]);
        Should
            .Throw<PgBackupException>(() => TableSelection.Of(outline, ["by_mood_0"], NoExtensions, "it"))
            .Remedy!.ShouldContain("--table public.by_mood");
        TableSelection.Of(outline, ["by_mood"], NoExtensions, "it").List.ShouldBe("5;\n6;\n7;\n8;\n");
    }

    [Fact]
    public async Task A_table_that_is_not_there_is_told_with_those_that_are_nearly_called_so()
    {
        Add(1, "identities", "TABLE", "", "CREATE TABLE public.identities (\n    id integer\n);");
        Add(2, "identities", "TABLE", "", "CREATE TABLE audit.identities (\n    id integer\n);");
        Add(3, "seen", "VIEW", "1", "CREATE VIEW public.seen AS\n SELECT id\n   FROM public.identities;");
        ArchiveOutline outline = await ReadAsync();

        PgBackupException missing = Should.Throw<PgBackupException>(() =>
            TableSelection.Of(outline, ["public.identites"], NoExtensions, "olympus in the snapshot x")
        );
        missing.Code.ShouldBe(ErrorCode.TableMissing);
        missing.Message.ShouldBe("olympus in the snapshot x has no table public.identites.");
        missing.Remedy!.ShouldContain("public.identities");
        Should
            .Throw<PgBackupException>(() => TableSelection.Of(outline, ["seen"], NoExtensions, "it"))
            .Code.ShouldBe(ErrorCode.TableMissing);
        Should
            .Throw<PgBackupException>(() => TableSelection.Of(outline, ["identities"], NoExtensions, "it"))
            .Remedy!.ShouldContain("audit.identities");
        Should.Throw<PgBackupException>(() => TableSelection.Of(outline, ["a.b.c"], NoExtensions, "it")).Code.ShouldBe(ErrorCode.Usage);
    }

    [Fact]
    public async Task Indexes_of_partitions_are_attached_to_each_other_and_not_to_a_root_that_does_not_come()
    {
        Add(1, "r", "TABLE", "", "CREATE TABLE public.r (\n    v date\n)\nPARTITION BY RANGE (v);");
        Add(2, "m", "TABLE", "1", "CREATE TABLE public.m (\n    v date\n)\nPARTITION BY RANGE (v);");
        Add(3, "l", "TABLE", "2", "CREATE TABLE public.l (\n    v date\n);");
        Add(4, "m", "TABLE ATTACH", "1 2", "ALTER TABLE ONLY public.r ATTACH PARTITION public.m DEFAULT;");
        Add(5, "l", "TABLE ATTACH", "2 3", "ALTER TABLE ONLY public.m ATTACH PARTITION public.l DEFAULT;");
        Add(6, "r_i", "INDEX", "1", "CREATE INDEX r_i ON ONLY public.r USING btree (v);");
        Add(7, "m_i", "INDEX", "2 6", "CREATE INDEX m_i ON ONLY public.m USING btree (v);");
        Add(8, "l_i", "INDEX", "3 7", "CREATE INDEX l_i ON public.l USING btree (v);");
        Add(9, "m_i", "INDEX ATTACH", "6 7 1 2", "ALTER INDEX public.r_i ATTACH PARTITION public.m_i;");
        Add(10, "l_i", "INDEX ATTACH", "8 6 7 2 3", "ALTER INDEX public.m_i ATTACH PARTITION public.l_i;");
        ArchiveOutline outline = await ReadAsync();

        TableSelection.Of(outline, ["m"], NoExtensions, "it").List.ShouldBe("2;\n3;\n5;\n7;\n8;\n10;\n");
        TableSelection.Of(outline, ["l"], NoExtensions, "it").List.ShouldBe("3;\n8;\n");
        TableSelection.Of(outline, ["r"], NoExtensions, "it").List.Split('\n').Length.ShouldBe(11);
    }

    [Fact]
    public async Task An_exclusion_constraint_brings_the_extensions_that_there_are()
    {
        Add(1, "btree_gist", "EXTENSION", "", "CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;");
        Add(2, "rare", "EXTENSION", "", "CREATE EXTENSION IF NOT EXISTS rare WITH SCHEMA public;");
        Add(3, "t", "TABLE", "", "CREATE TABLE public.t (\n    v integer\n);");
        Add(4, "u", "TABLE", "2", "CREATE TABLE public.u (\n    v public.rare\n);");
        Add(5, "t t_excl", "CONSTRAINT", "3", "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_excl EXCLUDE USING gist (v WITH =);");
        ArchiveOutline outline = await ReadAsync();

        TableSelection.Of(outline, ["t"], new HashSet<string> { "btree_gist" }, "it").List.ShouldBe("1;\n3;\n5;\n");
        TableSelection.Of(outline, ["u"], new HashSet<string> { "btree_gist" }, "it").Extensions.ShouldBe(["rare"]);
    }

    [Fact]
    public async Task The_proof_of_some_tables_is_the_same_wherever_they_are()
    {
        Add(1, "t", "TABLE", "", "CREATE TABLE public.t (\n    v text\n);");
        Add(2, "t", "TABLE DATA", "1", "COPY public.t (v) FROM stdin;\nx\n\\.");
        var selection = TableSelection.Of(await ReadAsync(), ["t"], NoExtensions, "it");
        Proof whole = await ProofAsync("COPY public.t (v) FROM stdin;\nx\n\\.\nCOPY public.u (v) FROM stdin;\ny\n\\.\n");
        Proof moved = await ProofAsync("COPY \"Rescue d\".t (v) FROM stdin;\nx\n\\.\n");
        Proof other = await ProofAsync("COPY \"Rescue d\".t (v) FROM stdin;\nz\n\\.\n");

        ProofComparison.Of(selection.ProofOf(whole), selection.ProofOf(moved, "Rescue d")).IsEqual.ShouldBeTrue();
        ProofComparison
            .Of(selection.ProofOf(whole), selection.ProofOf(other, "Rescue d"))
            .Differences.ShouldHaveSingleItem()
            .ShouldContain("public.t");
        ProofComparison
            .Of(selection.ProofOf(whole), selection.ProofOf(moved))
            .Differences.ShouldHaveSingleItem()
            .ShouldContain("is missing");
    }

    private static Task<Proof> ProofAsync(string text)
    {
        using var reader = new ScriptReader();
        reader.Read(Encoding.UTF8.GetBytes(text + "-- PostgreSQL database dump complete\n"));
        return Task.FromResult(reader.Finish(17));
    }

    // As pg_restore --verbose --file=- writes it.
    private void Add(int id, string tag, string type, string needs, string statements)
    {
        script.Append("SET default_tablespace = '';\n\n--\n").Append(null, $"-- TOC entry {id} (class 1259 OID {16000 + id})\n");
        script.Append(needs.Length > 0 ? $"-- Dependencies: {needs}\n" : "");
        script.Append(
            null,
            $"-- {(type == "TABLE DATA" ? "Data for " : "")}Name: {tag}; Type: {type}; Schema: public; Owner: keeper\n-- Data Pos: "
                + $"0\n--\n\n{statements}\n\n"
        );
    }

    private Task<ArchiveOutline> ReadAsync()
    {
        script.Append("--\n-- PostgreSQL database dump complete\n--\n\n");
        return ArchiveOutline.ReadScriptAsync(new MemoryStream(Encoding.UTF8.GetBytes(script.ToString())), CancellationToken.None);
    }
}
