using System.Text;
using System.Text.Json;
using PgBackup.Archives;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;
using static PgBackup.Tests.Archives.ScriptSample;

namespace PgBackup.Tests.Archives;

public sealed class ScriptShapesTests
{
    // As pg_dump 15 and pg_restore write it.
    private const string Script = """"
        CREATE TABLE public.ev (
            id integer,
            at timestamp with time zone NOT NULL
        )
        PARTITION BY RANGE (at);

        CREATE TABLE public.words (
            w text DEFAULT 'ALTER TABLE ONLY x ATTACH PARTITION y PARTITION OF z'::text
        );

        ALTER TABLE ONLY public.ev_2024 ATTACH PARTITION public."ev 2024; a" FOR VALUES IN (1);

        ALTER TABLE ONLY public.ev ATTACH PARTITION public.ev_2024 FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2025-01-01 00:00:00+00');

        ALTER TABLE ONLY public.ev ATTACH PARTITION public.ev_def DEFAULT;

        ALTER TABLE ONLY public.h ATTACH PARTITION public.h0 FOR VALUES WITH (modulus 1, remainder 0);

        CREATE TABLE public.h1 PARTITION OF public.h
        FOR VALUES WITH (modulus 2, remainder 1);

        COPY "S.x"."T ""q""" (a) FROM stdin;
        1
        \.

        COPY public."ev 2024; a" (id, at, "Weird, ""x"" (y)") FROM stdin;
        \.

        COPY public.ev_def (id, at) FROM stdin;
        \.

        COPY public.h0 (k) FROM stdin;
        \.

        COPY public.h1 (k) FROM stdin;
        \.

        COPY public."none"  FROM stdin;

        \.

        COPY public.words (w) FROM stdin;
        \.


        """";

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public void Columns_and_roots_are_read_from_a_script_in_pieces_of_any_size(int size)
    {
        SortedDictionary<string, TableShape> tables = Read(Script, size);

        tables
            .Select(static t =>
                $"{t.Key}: {string.Join('|', t.Value.Columns)} in {t.Value.Root ?? "none"}{(t.Value.Date is { } date ? $", {date}" : "")}"
            )
            .ShouldBe([
                "\"S.x\".\"T \"\"q\"\"\": a in none",
                "public.\"ev 2024; a\": id|at|Weird, \"x\" (y) in public.ev, 2024",
                "public.\"none\":  in none",
                "public.ev_def: id|at in public.ev",
                "public.h0: k in public.h",
                "public.h1: k in public.h",
                "public.words: w in none",
            ]);
    }

    [Fact]
    public void Partitions_in_a_circle_end_somewhere() =>
        Read(
            """
            ALTER TABLE ONLY public.a ATTACH PARTITION public.b DEFAULT;
            ALTER TABLE ONLY public.b ATTACH PARTITION public.a DEFAULT;
            ALTER TABLE ONLY public.c ATTACH PARTITION public.c DEFAULT;
            COPY public.a (x) FROM stdin;
            \.
            COPY public.c (x) FROM stdin;
            \.

            """,
            1000
        )
            .Keys.ShouldBe(["public.a", "public.c"]);

    [Theory]
    [InlineData("public.events_2026", "2026")]
    [InlineData("public.events_p2026_03", "202603")]
    [InlineData("public.events_p2026_03_01", "20260301")]
    [InlineData("public.events_y2026m03", "202603")]
    [InlineData("public.events_20260301", "20260301")]
    [InlineData("public.events_202603", "202603")]
    [InlineData("public.events_2026-03-01", "20260301")]
    [InlineData("public.events_2026_q3", "2026")]
    [InlineData("public.events_default", null)]
    [InlineData("public.events_0", null)]
    [InlineData("public.events_120261", null)]
    [InlineData("public.events_202699", null)]
    public void A_date_in_a_name_is_known(string name, string? date) => ScriptShapes.DateInName(name).ShouldBe(date);

    [Fact]
    public void The_columns_of_a_table_take_one_line_of_a_manifest()
    {
        Manifest manifest = ManifestSample.Of(ManifestSample.Id);
        Part part = manifest.Databases.First() with { Tables = Read(Script, 1000) };
        manifest = manifest with { Parts = [manifest.Globals!, part] };

        string json = Encoding.UTF8.GetString(manifest.ToJson());

        json.ShouldContain("\"columns\": [\"id\",\"at\"],");
        Manifest read = Manifest.Read(manifest.ToJson(), "it");
        JsonSerializer.Serialize(read.Databases.First().Tables).ShouldBe(JsonSerializer.Serialize(part.Tables));
        read.ToJson().ShouldBe(manifest.ToJson());
    }

    private static SortedDictionary<string, TableShape> Read(string script, int size)
    {
        using var reader = new ScriptReader();
        byte[] bytes = Encoding.UTF8.GetBytes(script + End);
        for (int at = 0; at < bytes.Length; at += size)
        {
            reader.Read(bytes.AsSpan(at, Math.Min(size, bytes.Length - at)));
        }

        reader.RequireEnd();
        return reader.Shapes.ToTables();
    }
}
