using PgBackup.Proofs;

namespace PgBackup.Tests.Proofs;

public sealed class ProofDiffTests
{
    [Fact]
    public void Equal_proofs_are_the_same()
    {
        ProofDiff diff = ProofDiff.Between(ProofSample.Of(7), ProofSample.Of(7));

        diff.IsSame.ShouldBeTrue();
        diff.Tables.Select(static t => $"{t.Name} {t.Change}").ShouldBe(["public.\"With Space\" same", "public.identities same"]);
        diff.Sequences.ShouldBeEmpty();
        (diff.SchemaChanged, diff.SettingsChanged, diff.LargeObjects.Change).ShouldBe((false, false, TableDiff.Same));
    }

    [Fact]
    public void A_table_with_more_rows_tells_both_numbers_and_what_it_gained()
    {
        TableDiff table = ProofDiff.Between(ProofSample.Of(7), ProofSample.Of(10)).Tables.Single(static t => t.Name == "public.identities");

        (table.Change, table.RowsBefore, table.RowsAfter, table.RowsDelta).ShouldBe((TableDiff.Changed, 7, 10, 3));
        (table.BytesBefore, table.BytesAfter, table.BytesDelta).ShouldBe((70, 100, 30));
    }

    [Fact]
    public void A_table_with_other_contents_changed_though_it_has_as_many_rows_and_bytes()
    {
        Proof after = ProofSample.Of(7);
        after.Tables["public.identities"] = after.Tables["public.identities"] with { Digest = new string('e', 64) };

        TableDiff table = ProofDiff.Between(ProofSample.Of(7), after).Tables.Single(static t => t.Change != TableDiff.Same);

        (table.Name, table.Change, table.RowsDelta, table.BytesDelta).ShouldBe(("public.identities", TableDiff.Changed, 0, 0));
    }

    [Fact]
    public void A_table_of_only_one_of_them_is_new_or_gone()
    {
        Proof more = ProofSample.Of(7);
        more.Tables["public.added"] = more.Tables["public.identities"];

        TableDiff added = ProofDiff.Between(ProofSample.Of(7), more).Tables.Single(static t => t.Name == "public.added");
        TableDiff dropped = ProofDiff.Between(more, ProofSample.Of(7)).Tables.Single(static t => t.Name == "public.added");

        (added.Change, added.RowsBefore, added.RowsAfter, added.RowsDelta).ShouldBe((TableDiff.New, null, 7, 7));
        (dropped.Change, dropped.RowsBefore, dropped.RowsAfter, dropped.BytesDelta).ShouldBe((TableDiff.Gone, 7, null, -70));
    }

    [Fact]
    public void Sequences_are_told_where_they_moved_appeared_or_went()
    {
        Proof before = ProofSample.Of(7);
        Proof after = ProofSample.Of(7);
        before.Sequences["public.old"] = "1,false";
        after.Sequences["public.new"] = "1,false";
        after.Sequences["public.identities_id_seq"] = "43,true";

        ProofDiff
            .Between(before, after)
            .Sequences.Select(static s => $"{s.Name} {s.Before ?? "none"} {s.After ?? "none"}")
            .ShouldBe(["public.identities_id_seq 42,true 43,true", "public.new none 1,false", "public.old 1,false none"]);
    }

    [Fact]
    public void Large_objects_schema_and_settings_are_told_each_by_itself()
    {
        Proof before = ProofSample.Of(7);

        ProofDiff.Between(before, before with { LargeObjects = before.LargeObjects with { Rows = 2 } }).LargeObjects.RowsDelta.ShouldBe(1);
        ProofDiff.Between(before, before with { LargeObjects = before.LargeObjects with { Rows = 2 } }).IsSame.ShouldBeFalse();
        ProofDiff schema = ProofDiff.Between(before, before with { Schema = before.Schema with { Count = 13 } });
        (schema.SchemaChanged, schema.SettingsChanged, schema.IsSame).ShouldBe((true, false, false));
        ProofDiff settings = ProofDiff.Between(before, before with { Database = before.Database with { Digest = new string('e', 64) } });
        (settings.SchemaChanged, settings.SettingsChanged, settings.IsSame).ShouldBe((false, true, false));
    }

    [Fact]
    public void One_table_or_one_sequence_that_differs_is_enough_for_the_whole_to_differ()
    {
        Proof before = ProofSample.Of(7);
        Proof moved = ProofSample.Of(7);
        moved.Sequences["public.identities_id_seq"] = "43,true";

        ProofDiff.Between(before, ProofSample.Of(8)).IsSame.ShouldBeFalse();
        ProofDiff.Between(before, moved).IsSame.ShouldBeFalse();
    }

    [Fact]
    public void The_wording_of_another_major_version_is_not_compared()
    {
        Proof before = ProofSample.Of(7);

        ProofDiff diff = ProofDiff.Between(
            before,
            before with
            {
                DumpMajor = 18,
                Schema = before.Schema with { Count = 99 },
                Database = before.Database with { Count = 99 },
            }
        );

        (diff.SchemaChanged, diff.SettingsChanged, diff.IsSame).ShouldBe((null, null, true));
    }
}
