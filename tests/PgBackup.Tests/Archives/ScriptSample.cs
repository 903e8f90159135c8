using System.Text;
using System.Text.Json;
using PgBackup.Archives;
using PgBackup.Proofs;

namespace PgBackup.Tests.Archives;

/// <summary>Scripts as pg_dump writes them, and their proofs.</summary>
internal static class ScriptSample
{
    /// <summary>What stands at the end of every script, and says that it is whole.</summary>
    public const string End = "-- PostgreSQL database dump complete\n";

    /// <summary>Everything that is hard to read in a script, once. A tab is written as an arrow.</summary>
    public static string Rich { get; } =
        """"
            --
            -- PostgreSQL database dump
            --

            \restrict gJ3kS0Zx

            -- Dumped from database version 17.2

            SET statement_timeout = 0;
            SET standard_conforming_strings = on;
            SELECT pg_catalog.set_config('search_path', '', false);

            CREATE DATABASE olympus WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc;


            ALTER DATABASE olympus OWNER TO "the owner";

            \connect olympus

            CREATE FUNCTION public.f(a text) RETURNS text
                LANGUAGE plpgsql
                AS $_$
            BEGIN
              -- a comment; with ' and "

              RETURN 'it''s;' || $1 || $x$ ; $x$;
            END;
            $_$;


            COMMENT ON FUNCTION public.f(a text) IS 'two lines;
            -- this is no comment; ''quoted'' /* nor this';


            CREATE RULE both AS
                ON INSERT TO public.v DO INSTEAD ( INSERT INTO public.t (a)
              VALUES (new.a);
             DELETE FROM public.u
              WHERE (u.a = new.a);
            );


            --
            -- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: -
            --

            COPY public.t (a, b) FROM stdin;
            1→one
            2→\N
            3→über
            3→über
            \\.→a value that starts like the end
            \\.
            \.x
            \N
            \
            SELECT 1;
            -- no comment→x
            \.


            COPY public."a ""b"".c d" ("x y") FROM stdin;


            v
            \.


            COPY public.nothing  FROM stdin;



            \.


            COPY public.none (a) FROM stdin;
            \.


            SELECT pg_catalog.lo_create('16411');
            ALTER LARGE OBJECT 16411 OWNER TO "the owner";

            BEGIN;

            SELECT pg_catalog.lo_open('16411', 131072);
            SELECT pg_catalog.lowrite(0, '\x00ff10');
            SELECT pg_catalog.lowrite(0, '\x2030');
            SELECT pg_catalog.lo_close(0);

            COMMIT;

            SELECT pg_catalog.setval('public.s', 42, true);
            SELECT pg_catalog.setval('public."it''s, a ""seq"""', 1, false);

            GRANT CONNECT ON DATABASE olympus TO reader;
            ALTER ROLE "x IN DATABASE y" IN DATABASE olympus SET search_path TO 'a', 'b';

            --
            -- PostgreSQL database dump complete
            --

            \unrestrict gJ3kS0Zx


            """".Replace('→', '\t');

    /// <summary>A table of some rows.</summary>
    public static string Table(string name, params string[] rows) =>
        $"COPY {name} (a) FROM stdin;\n{string.Concat(rows.Select(static r => r + "\n"))}\\.\n";

    /// <summary>The proof of a script, to which the last line is added.</summary>
    public static Proof ProofOf(string script)
    {
        using ScriptReader reader = Read(script + End);
        return reader.Finish(17);
    }

    /// <summary>A reader that was given the pieces; what it holds is not yet checked.</summary>
    public static ScriptReader Read(IEnumerable<byte[]> pieces, bool keepExcerpts = false)
    {
        var reader = new ScriptReader(keepExcerpts) { KeepStatements = true };
        foreach (byte[] piece in pieces)
        {
            reader.Read(piece);
        }

        return reader;
    }

    public static ScriptReader Read(string script) => Read([Encoding.UTF8.GetBytes(script)], keepExcerpts: true);

    /// <summary>All that a reader knows, as one text that can be compared.</summary>
    public static string Everything(ScriptReader reader) =>
        JsonSerializer.Serialize(
            new
            {
                Proof = reader.Finish(17),
                reader.Statements,
                Own = reader.DatabaseStatements,
                reader.BytesRead,
            }
        );
}
