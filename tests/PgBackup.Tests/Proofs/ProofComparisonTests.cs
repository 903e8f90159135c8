using PgBackup.Proofs;

namespace PgBackup.Tests.Proofs;

public sealed class ProofComparisonTests
{
    private static readonly Proof Expected = ProofSample.Of(7);

    [Fact]
    public void Equal_proofs_have_no_differences()
    {
        ProofComparison comparison = ProofComparison.Of(Expected, ProofSample.Of(7));

        (comparison.IsEqual, comparison.SchemaCompared).ShouldBe((true, true));
        comparison.Differences.ShouldBeEmpty();
    }

    [Fact]
    public void A_missing_table_and_one_too_many_are_named() =>
        Differences(
                Expected with
                {
                    Tables = new(StringComparer.Ordinal)
                    {
                        ["public.identities"] = Expected.Tables["public.identities"],
                        ["public.new"] = Expected.Tables["public.identities"],
                    },
                }
            )
            .ShouldBe(["table public.\"With Space\" is missing", "table public.new is there, but not in the snapshot"]);

    [Fact]
    public void Other_rows_are_counted_or_said_to_be_others()
    {
        Differences(WithTable(t => t with { Rows = 6 })).ShouldBe(["table public.identities: 7 rows expected, 6 found"]);
        Differences(WithTable(t => t with { Digest = new string('e', 64) }))
            .ShouldBe(["table public.identities: the 7 rows have other contents"]);
        Differences(WithTable(t => t with { Bytes = 1 })).ShouldBe(["table public.identities: the 7 rows have other contents"]);
    }

    [Fact]
    public void Sequences_differ_by_value_and_by_absence()
    {
        Differences(Expected with { Sequences = new(StringComparer.Ordinal) { ["public.identities_id_seq"] = "42,false" } })
            .ShouldBe(["sequence public.identities_id_seq: 42,true expected, 42,false found"]);
        Differences(Expected with { Sequences = new(StringComparer.Ordinal) { ["s"] = "1,true" } })
            .ShouldBe(["sequence public.identities_id_seq: 42,true expected, none found", "sequence s: none expected, 1,true found"]);
    }

    [Fact]
    public void Large_objects_differ_by_number_size_or_content()
    {
        Differences(Expected with { LargeObjects = Expected.LargeObjects with { Rows = 0, Bytes = 0 } })
            .ShouldBe(["large objects: 1 with 5 bytes expected, 0 with 0 bytes found"]);
        Differences(Expected with { LargeObjects = Expected.LargeObjects with { Digest = new string('e', 64) } })
            .ShouldBe(["large objects: 1 with 5 bytes expected, 1 with 5 bytes found (other contents)"]);
    }

    [Fact]
    public void Statements_differ_by_number_or_are_others()
    {
        Differences(Expected with { Schema = Expected.Schema with { Count = 11 } }).ShouldBe(["schema: 12 statements expected, 11 found"]);
        Differences(Expected with { Database = Expected.Database with { Digest = new string('e', 64) } })
            .ShouldBe(["settings, owner or privileges of the database itself: 3 statements expected, 3 found (others)"]);
    }

    [Fact]
    public void Another_major_version_of_pg_dump_compares_the_data_but_not_the_schema()
    {
        Proof found = WithTable(t => t with { Rows = 6 }) with
        {
            DumpMajor = 18,
            Schema = Expected.Schema with { Count = 1 },
            Database = Expected.Database with { Count = 1 },
        };

        ProofComparison comparison = ProofComparison.Of(Expected, found);

        comparison.SchemaCompared.ShouldBeFalse();
        comparison.Differences.ShouldBe(["table public.identities: 7 rows expected, 6 found"]);
    }

    [Fact]
    public void Contents_differ_where_as_many_rows_are_others_and_not_where_there_are_more_or_fewer()
    {
        Proof others = WithTable(static t => t with { Digest = new string('e', 64) });
        Proof fewer = WithTable(static t => t with { Rows = 6 });
        Proof both = Expected with
        {
            Tables = new(others.Tables, StringComparer.Ordinal)
            {
                ["public.\"With Space\""] = Expected.Tables["public.\"With Space\""] with { Rows = 1 },
            },
        };

        ProofComparison.Of(Expected, ProofSample.Of(7)).ContentsEqual.ShouldBeTrue();
        ProofComparison.Of(Expected, fewer).ContentsEqual.ShouldBeTrue();
        ProofComparison.Of(Expected, others).ContentsEqual.ShouldBeFalse();
        ProofComparison.Of(Expected, both).ContentsEqual.ShouldBeFalse();
    }

    [Fact]
    public void Statements_differ_in_the_schema_or_in_the_database_itself_of_the_same_major_version()
    {
        Proof schema = Expected with { Schema = Expected.Schema with { Count = 11 } };
        Proof database = Expected with { Database = Expected.Database with { Count = 2 } };

        ProofComparison.Of(Expected, WithTable(static t => t with { Rows = 6 })).StatementsEqual.ShouldBeTrue();
        ProofComparison.Of(Expected, schema).StatementsEqual.ShouldBeFalse();
        ProofComparison.Of(Expected, database).StatementsEqual.ShouldBeFalse();
        ProofComparison.Of(Expected, schema with { DumpMajor = 18 }).StatementsEqual.ShouldBeTrue();
    }

    private static IReadOnlyList<string> Differences(Proof found) => ProofComparison.Of(Expected, found).Differences;

    private static Proof WithTable(Func<TableProof, TableProof> change) =>
        Expected with
        {
            Tables = new(Expected.Tables, StringComparer.Ordinal) { ["public.identities"] = change(Expected.Tables["public.identities"]) },
        };
}
