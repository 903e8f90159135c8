using PgBackup.Snapshots;
using static PgBackup.Tests.Losses.LossNights;

namespace PgBackup.Tests.Losses;

/// <summary>Partitions count with their root.</summary>
public sealed class LossPartitionTests
{
    private readonly LossNights nights = new();

    public LossPartitionTests()
    {
        for (int month = 1; month <= 4; month++)
        {
            Dated($"public.events_2026_0{month}", 1000);
        }

        nights["olympus", "public.events_default"] = Part("public.events", 10);
        nights["olympus", "public.people_0"] = Part("public.people", 500);
        nights["olympus", "public.people_1"] = Part("public.people", 500);
    }

    private static LossTable Part(string root, long rows) => new(rows, "id", "at") { Root = root };

    [Fact]
    public void An_old_partition_that_goes_is_a_note_of_one_night()
    {
        nights.Take(3);
        Drop("public.events_2026_01");

        nights.Take().Losses.ShouldBeEmpty();
        Finding note = nights.Notes.ShouldHaveSingleItem();
        (note.Code, note.Severity, note.Subject).ShouldBe((ErrorCode.TableGone, Severity.Note, "olympus.public.events_2026_01"));
        note.Text.ShouldBe(
            "olympus: the old partition public.events_2026_01 of public.events is gone: 20260303T030000Z has it, with 1,000 rows; a "
                + "younger one is there"
        );
        nights.Take().Losses.ShouldBeEmpty();
        nights.Notes.ShouldBeEmpty();
    }

    [Fact]
    public void Also_when_it_held_most_of_the_rows()
    {
        Dated("public.events_2026_01", 1_000_000);
        nights.Take(3);
        Drop("public.events_2026_01");

        nights.Take(40).SelectMany(static m => m.Losses).ShouldBeEmpty();
    }

    [Fact]
    public void The_youngest_partition_is_no_old_one()
    {
        Dated("public.events_2026_04", 5000);
        nights.Take(3);
        Drop("public.events_2026_04");

        Red(nights.Take()).ShouldContain("table_gone olympus.public.events_2026_04");
        Red(nights.Take()).ShouldContain("table_gone olympus.public.events_2026_04");
    }

    [Fact]
    public void Partitions_that_lose_rows_together_are_one_loss_of_the_root()
    {
        nights.Take(3);
        foreach (string table in nights.Databases["olympus"].Keys.Where(static t => t.Contains("events_2", StringComparison.Ordinal)))
        {
            nights["olympus", table] = nights["olympus", table] with { Rows = 50 };
        }

        Loss loss = nights.Take().Losses.ShouldHaveSingleItem();

        (loss.Subject, loss.Before, loss.Now).ShouldBe(("olympus.public.events", 4010, 210));
    }

    [Fact]
    public void Rows_that_move_between_partitions_are_none()
    {
        nights.Take(3);
        nights["olympus", "public.people_0"] = Part("public.people", 0);
        nights["olympus", "public.people_1"] = Part("public.people", 1000);

        nights.Take().Losses.ShouldBeEmpty();
    }

    [Fact]
    public void A_partition_that_goes_is_no_loss_when_its_rows_are_elsewhere()
    {
        nights.Take(3);
        Drop("public.people_1");
        nights["olympus", "public.people_0"] = Part("public.people", 1001);

        nights.Take().Losses.ShouldBeEmpty();
    }

    [Fact]
    public void A_partition_that_is_not_of_a_time_and_goes_with_its_rows_is_a_loss_every_night()
    {
        nights.Take(3);
        Drop("public.people_1");

        foreach (Manifest night in nights.Take(20))
        {
            Red(night).ShouldBe(["table_gone olympus.public.people_1"], night.Id);
        }

        nights.Confirm(nights.Take());
        nights.Take(3).SelectMany(static m => m.Losses).ShouldBeEmpty();
    }

    [Fact]
    public void A_root_that_goes_with_all_its_partitions_is_one_loss()
    {
        nights.Take(3);
        foreach (string table in nights.Databases["olympus"].Keys.Where(static t => t.Contains("events", StringComparison.Ordinal)))
        {
            Drop(table);
        }

        Loss loss = nights.Take().Losses.ShouldHaveSingleItem();

        (loss.Kind, loss.Subject, loss.Before).ShouldBe((LossKind.TableGone, "olympus.public.events", 4010));
    }

    [Fact]
    public void A_partition_that_is_detached_is_there_still()
    {
        nights.Take(3);
        nights["olympus", "public.people_1"] = nights["olympus", "public.people_1"] with { Root = null };

        nights.Take(3).SelectMany(static m => m.Losses).ShouldBeEmpty();

        Drop("public.people_1");
        Red(nights.Take()).ShouldBe(["table_gone olympus.public.people_1"]);
    }

    [Fact]
    public void A_table_that_becomes_a_partition_or_gets_partitions_is_the_same()
    {
        nights["olympus", "public.jobs"] = new(100, "id", "at");
        nights["olympus", "public.mails"] = new(100, "id", "at");
        nights.Take(3);
        nights["olympus", "public.jobs"] = Part("public.people", 100);
        Drop("public.mails");
        nights["olympus", "public.mails_0"] = Part("public.mails", 40);
        nights["olympus", "public.mails_1"] = Part("public.mails", 60);

        nights.Take().Losses.ShouldBeEmpty();
    }

    [Fact]
    public void A_column_that_the_root_drops_is_one_loss_of_the_root()
    {
        nights.Take(3);
        foreach (string table in (string[])["public.people_0", "public.people_1"])
        {
            nights["olympus", table] = new LossTable(500, "id") { Root = "public.people" };
        }

        Red(nights.Take()).ShouldBe(["column_gone olympus.public.people.at"]);
    }

    [Fact]
    public void Partitions_of_manifests_of_an_older_version_are_known_by_those_of_this_one()
    {
        nights.WritesShapes = false;
        nights.Take(3);
        nights.WritesShapes = true;
        Drop("public.events_2026_01");
        nights["olympus", "public.people_0"] = Part("public.people", 1000);
        nights["olympus", "public.people_1"] = Part("public.people", 0);

        nights.Take().Losses.ShouldBeEmpty();
    }

    private void Dated(string table, long rows) =>
        nights["olympus", table] = Part("public.events", rows) with { Date = table[^7..].Replace("_", "", StringComparison.Ordinal) };

    private void Drop(string table) => nights.Databases["olympus"].Remove(table);
}
