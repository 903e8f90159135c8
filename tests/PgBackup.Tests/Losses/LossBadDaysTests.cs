using PgBackup.Losses;
using PgBackup.Retention;
using PgBackup.Snapshots;
using static PgBackup.Tests.Losses.LossNights;

namespace PgBackup.Tests.Losses;

/// <summary>Losses over several nights: what stays red, what a person settles, and what comes after.</summary>
public sealed class LossBadDaysTests
{
    private const string Identities = "public.identities";

    private readonly LossNights nights = Kratos();

    private LossTable People
    {
        get => nights["ciam", Identities];
        set => nights["ciam", Identities] = value;
    }

    [Fact]
    public void A_night_that_was_not_compared_accepts_no_loss()
    {
        nights.Take(3);
        nights.Databases["ciam"].Remove("public.identities");
        nights["ciam", "public.notes"] = new(0, "id", "text");

        nights.TakeUncompared().IsCompared.ShouldBeFalse();
        Manifest next = nights.Take();

        Red(next).ShouldBe(["table_gone ciam.public.identities", "table_emptied ciam.public.notes"]);
        next.Losses.Select(static l => l.Since).Distinct().ShouldHaveSingleItem().ShouldBe("20260303T030000Z");
    }

    [Fact]
    public void A_loss_that_nobody_confirms_is_found_every_night_since_the_same_snapshot()
    {
        Manifest good = nights.Take(3)[2];
        People = People with { Rows = 10 };

        foreach (Manifest night in nights.Take(60))
        {
            nights.Prune(RetentionRules.Default);
            Red(night).ShouldBe(["table_shrunk ciam.public.identities"], night.Id);
            (night.Losses[0].Since, night.Losses[0].Before).ShouldBe((good.Id, 1000L));
        }
    }

    [Fact]
    public void It_is_found_even_where_every_snapshot_from_before_it_is_gone()
    {
        nights.Take(3);
        nights.Databases["ciam"].Remove(Identities);
        nights["ciam", "public.notes"] = new(100, "id");
        for (int night = 0; night < 80; night++)
        {
            nights.Prune(new RetentionRules { All = RetentionLength.Of(3, RetentionUnit.Days) });

            Red(nights.Take()).ShouldBe(["table_gone ciam.public.identities", "column_gone ciam.public.notes.text"], $"night {night}");
        }

        nights.Count.ShouldBeLessThan(10);
    }

    [Fact]
    public void A_loss_that_is_mended_is_none_any_more()
    {
        nights.Take(3);
        LossTable before = People;
        nights.Databases["ciam"].Remove(Identities);
        Red(nights.Take()).Count.ShouldBe(1);
        People = before;

        nights.Take().Losses.ShouldBeEmpty();
    }

    [Fact]
    public void A_table_that_comes_back_with_a_third_of_its_rows_is_lost_still()
    {
        nights.Take(3);
        LossTable before = People;
        nights.Databases["ciam"].Remove(Identities);
        nights.Take(20);
        People = before with { Rows = 300 };

        Red(nights.Take()).ShouldBe(["table_shrunk ciam.public.identities"]);
    }

    [Fact]
    public void After_a_confirmation_comparisons_start_anew_and_a_second_loss_is_red()
    {
        nights.Take(10);
        People = People with { Rows = 400 };
        Manifest first = nights.Take();
        Red(first).Count.ShouldBe(1);
        nights.Confirm(first);
        nights.Take(40).SelectMany(static m => m.Losses).ShouldBeEmpty();
        People = People with { Rows = 150 };

        Manifest second = nights.Take();

        Red(second).ShouldBe(["table_shrunk ciam.public.identities"]);
        second.Losses[0].Before.ShouldBe(400);
        Red(nights.Take()).Count.ShouldBe(1);
    }

    [Fact]
    public void A_confirmed_table_that_comes_back_and_goes_again_is_red_again()
    {
        nights.Take(3);
        LossTable before = nights["ciam", "public.notes"];
        nights["ciam", "public.notes"] = before with { Rows = 0 };
        nights.Confirm(nights.Take());
        nights.Take(2).SelectMany(static m => m.Losses).ShouldBeEmpty();
        nights["ciam", "public.notes"] = before;
        nights.Take(2).SelectMany(static m => m.Losses).ShouldBeEmpty();
        nights["ciam", "public.notes"] = before with { Rows = 0 };

        Red(nights.Take()).ShouldBe(["table_emptied ciam.public.notes"]);
    }

    [Fact]
    public void Two_losses_in_two_nights_and_one_confirmation_leave_the_other_red()
    {
        nights.Take(3);
        nights.Databases["ciam"].Remove("public.notes");
        Manifest first = nights.Take();
        People = People with { Rows = 100 };
        Manifest second = nights.Take();
        Red(second).ShouldBe(["table_shrunk ciam.public.identities", "table_gone ciam.public.notes"]);
        nights.Confirm(first);

        foreach (Manifest night in nights.Take(30))
        {
            Red(night).ShouldBe(["table_shrunk ciam.public.identities"], night.Id);
        }
    }

    [Fact]
    public void One_of_two_losses_of_a_night_can_be_confirmed()
    {
        nights.Take(3);
        nights.Databases["ciam"].Remove("public.notes");
        People = People with { Rows = 100 };
        Manifest both = nights.Take();
        nights.Confirm(both, "ciam.public.notes");

        Red(nights.Take()).ShouldBe(["table_shrunk ciam.public.identities"]);
    }

    [Fact]
    public void A_confirmation_days_later_settles_all_nights_since()
    {
        nights.Take(3);
        nights.Databases["ciam"].Remove("public.notes");
        nights.Confirm(nights.Take(5)[4]);

        nights.Take(40).SelectMany(static m => m.Losses).ShouldBeEmpty();
    }

    [Fact]
    public void An_announced_migration_is_never_red_neither_after_seven_nor_after_thirty_days()
    {
        nights.Take(31);
        People = People with { Rows = 100, Columns = ["id", "traits"] };
        nights.Databases["ciam"].Remove("public.notes");

        Manifest migrated = nights.Take(complete: true, "ciam.public.identities", "ciam.public.\"notes\"");

        migrated
            .Losses.Select(static l => (l.Kind, l.IsExpected))
            .ShouldBe([(LossKind.TableShrunk, true), (LossKind.ColumnGone, true), (LossKind.TableGone, true)], ignoreOrder: true);
        migrated.HasLoss.ShouldBeFalse();
        // Also where the snapshot of the migration is removed, and older ones stay.
        var rules = new RetentionRules
        {
            All = RetentionLength.Of(2, RetentionUnit.Days),
            Weekly = RetentionLength.Of(90, RetentionUnit.Days),
        };
        for (int night = 0; night < 60; night++)
        {
            nights.Take().Losses.ShouldBeEmpty($"night {night}");
            nights.Prune(rules);
        }
    }

    [Fact]
    public void An_announcement_of_a_database_stands_for_the_whole_of_it_alone()
    {
        nights["olympus", "public.iam_settings"] = new(20);
        nights.Take(2);
        People = People with { Rows = 1 };
        Red(nights.Take(complete: true, "ciam")).Count.ShouldBe(1);
        nights.Databases.Remove("olympus");

        nights.Take(complete: true, "olympus").Losses.Single(static l => l.Kind == LossKind.DatabaseGone).IsExpected.ShouldBeTrue();
    }

    [Fact]
    public void An_announcement_that_nothing_matched_is_a_note()
    {
        (IReadOnlyList<Loss> losses, IReadOnlyList<Finding> notes) = ExpectedLosses.Mark([], ["ciam.public.notes"]);

        losses.ShouldBeEmpty();
        notes.ShouldHaveSingleItem().Code.ShouldBe(ErrorCode.ExpectationUnmet);
        notes[0].Severity.ShouldBe(Severity.Note);
    }

    [Fact]
    public void Incomplete_snapshots_have_losses_and_are_compared_with_by_none()
    {
        Manifest good = nights.Take(3)[2];
        People = People with { Rows = 10 };
        Manifest incomplete = nights.Take(complete: false);
        Red(incomplete).Count.ShouldBe(1);
        People = People with { Rows = 9 };

        nights.Take().Losses[0].Since.ShouldBe(good.Id);

        // One in which the table was whole again is no reference either.
        People = People with
        {
            Rows = 5000,
        };
        nights.Take(complete: false);
        People = People with { Rows = 400 };
        nights.Take().Losses[0].Before.ShouldBe(1000);
    }

    [Fact]
    public void A_database_that_failed_or_was_left_out_is_no_loss_and_one_that_the_server_lacks_is()
    {
        Manifest last = nights.Take();
        Manifest next = last with { Id = "20260302T030000Z", Parts = [], Losses = [] };
        PartFailure failure = new()
        {
            Part = "ciam",
            Code = "PGB-0021",
            Message = "it failed",
        };

        Of(next with { LeftOut = ["ciam"] }).ShouldBeEmpty();
        Of(next with { Failures = [failure] }).ShouldBeEmpty();
        Of(next with { Failures = [failure], ServerDatabases = null }).ShouldBeEmpty();
        Of(next with { Failures = [failure], ServerDatabases = ["postgres"] }).ShouldHaveSingleItem();
        Of(next with { Failures = [failure with { Code = "PGB-0032" }], ServerDatabases = null }).ShouldHaveSingleItem();
        Of(next).ShouldHaveSingleItem().Kind.ShouldBe(LossKind.DatabaseGone);

        IReadOnlyList<Loss> Of(Manifest now) => LossRules.Of(now, [last], TableClasses.BuiltIn, static (_, _) => false).Losses;
    }

    [Fact]
    public void A_database_that_comes_back_empty_is_compared_with_what_it_had()
    {
        nights["olympus", "public.iam_settings"] = new(20);
        nights.Take(3);
        Dictionary<string, LossTable> before = nights.Databases["ciam"];
        nights.Databases.Remove("ciam");
        nights.Take(2);
        nights.Databases["ciam"] = before.ToDictionary(static t => t.Key, static t => t.Value with { Rows = 0 });

        Red(nights.Take())
            .ShouldBe([
                "table_emptied ciam.public.identities",
                "table_emptied ciam.public.identity_credentials",
                "table_emptied ciam.public.notes",
            ]);
    }

    [Fact]
    public void A_clock_that_was_ahead_for_a_night_hides_nothing_and_alarms_nobody()
    {
        nights.Take(3);
        DateTimeOffset right = nights.Now;
        nights.Now = right.AddYears(1);
        nights.Take().Losses.ShouldBeEmpty();
        nights.Now = right;
        nights.Take(3).SelectMany(static m => m.Losses).ShouldBeEmpty();
        nights.Databases["ciam"].Remove("public.notes");
        Manifest lost = nights.Take();
        Red(lost).Count.ShouldBe(1);
        nights.Confirm(lost);

        nights.Take(5).SelectMany(static m => m.Losses).ShouldBeEmpty();
    }

    [Fact]
    public void A_clock_that_was_set_back_hides_nothing()
    {
        nights.Take(3);
        DateTimeOffset right = nights.Now;
        nights.Now = right.AddYears(-5);
        People = People with { Rows = 10 };

        Red(nights.Take()).Count.ShouldBe(1);
        Red(nights.Take()).Count.ShouldBe(1);
        nights.Now = right;
        Red(nights.Take()).Count.ShouldBe(1);
    }

    [Fact]
    public void Manifests_of_an_older_version_are_compared_without_columns()
    {
        nights.WritesShapes = false;
        nights.Take(3);
        nights.WritesShapes = true;
        nights.Take(2).SelectMany(static m => m.Losses).ShouldBeEmpty();
        People = People with { Columns = ["id", "state"] };
        Red(nights.Take()).ShouldBe(["column_gone ciam.public.identities.traits"]);

        // A run of the older version in between says nothing of columns, and of rows what it has.
        nights.WritesShapes = false;
        Manifest older = nights.Take();
        older.Losses.ShouldBeEmpty();
        nights.WritesShapes = true;
        nights.Take().Losses.Count.ShouldBe(1);
    }

    [Fact]
    public void The_mark_names_what_is_red_in_lines_that_nothing_breaks()
    {
        nights["ciam", "public.\"a\nb\u202e\""] = new(100);
        nights.Take();
        nights.Databases["ciam"].Remove("public.\"a\nb\u202e\"");
        nights["ciam", "public.notes"] = new(40, "id", "text");
        for (int table = 0; table < 150; table++)
        {
            nights["ciam", $"public.t{table}"] = new(1);
        }

        Manifest now = nights.Take();
        now.LossText.ShouldBe("table_gone: ciam.public.\"a b\\u202E\", 100 rows in 20260301T030000Z, 0 now\n");

        nights.Databases["ciam"].Clear();
        string[] lines = nights.Take().LossText.TrimEnd('\n').Split('\n');
        (lines.Length, lines[^1]).ShouldBe((101, "and 55 more"));
    }
}
