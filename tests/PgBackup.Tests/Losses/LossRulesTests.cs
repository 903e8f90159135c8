using PgBackup.Losses;
using PgBackup.Snapshots;
using static PgBackup.Tests.Losses.LossNights;

namespace PgBackup.Tests.Losses;

public sealed class LossRulesTests
{
    private readonly LossNights nights = Kratos();

    [Fact]
    public void The_first_snapshot_has_no_losses() => nights.Take().Losses.ShouldBeEmpty();

    [Fact]
    public void The_same_again_has_none() => nights.Take(40).SelectMany(static m => m.Losses).ShouldBeEmpty();

    [Fact]
    public void A_table_that_is_gone_is_a_loss_with_what_it_had_and_since_when()
    {
        Manifest good = nights.Take();
        nights.Databases["ciam"].Remove("public.identities");

        Loss loss = nights.Take().Losses.ShouldHaveSingleItem();

        loss.ShouldBe(
            new Loss
            {
                Kind = LossKind.TableGone,
                Database = "ciam",
                Table = "public.identities",
                Before = 1000,
                Now = 0,
                Since = good.Id,
                Severity = Severity.Error,
            }
        );
    }

    [Fact]
    public void Also_one_that_was_empty()
    {
        nights["ciam", "public.none"] = new(0);
        nights.Take();
        nights.Databases["ciam"].Remove("public.none");

        Red(nights.Take()).ShouldBe(["table_gone ciam.public.none"]);
    }

    [Fact]
    public void A_database_that_is_gone_is_one_loss_and_its_tables_are_not_listed()
    {
        nights["olympus", "public.ciam_settings"] = new(20);
        nights.Take();
        nights.Databases.Remove("ciam");

        Loss loss = nights.Take().Losses.ShouldHaveSingleItem();

        (loss.Kind, loss.Subject, loss.Before, loss.Severity).ShouldBe((LossKind.DatabaseGone, "ciam", 3600, Severity.Error));
    }

    [Theory]
    [InlineData("public.identities")]
    [InlineData("public.sessions")]
    [InlineData("public.notes")]
    public void A_column_that_is_gone_is_a_loss_of_any_table(string table)
    {
        nights.Take();
        LossTable before = nights["ciam", table];
        nights["ciam", table] = new LossTable(before.Rows, before.Columns[..^1]);

        Loss loss = nights.Take().Losses.ShouldHaveSingleItem();

        (loss.Kind, loss.Table, loss.Column, loss.Severity).ShouldBe((LossKind.ColumnGone, table, before.Columns[^1], Severity.Error));
        Red(nights.Take()).Count.ShouldBe(1, "every night until it is confirmed");
    }

    [Fact]
    public void A_column_of_a_table_that_is_gone_is_no_loss_of_its_own()
    {
        nights.Take();
        nights.Databases["ciam"].Remove("public.notes");

        nights.Take().Losses.ShouldHaveSingleItem().Kind.ShouldBe(LossKind.TableGone);
    }

    [Theory]
    [InlineData(1000, 500, null)]
    [InlineData(1000, 499, LossKind.TableShrunk)]
    [InlineData(1000, 0, LossKind.TableEmptied)]
    [InlineData(1000, 5000, null)]
    [InlineData(10, 4, LossKind.TableShrunk)]
    [InlineData(10, 0, LossKind.TableEmptied)]
    [InlineData(9, 0, LossKind.TableShrunk)]
    [InlineData(2, 1, null)]
    [InlineData(1, 0, LossKind.TableShrunk)]
    [InlineData(0, 0, null)]
    [InlineData(1L << 46, (1L << 45) - 1, LossKind.TableShrunk)]
    public void A_durable_table_may_lose_half_of_its_rows(long before, long now, LossKind? kind)
    {
        nights["ciam", "public.identities"] = new(before);
        nights.Take();
        nights["ciam", "public.identities"] = new(now);

        IReadOnlyList<Loss> losses = nights.Take().Losses;

        (losses is [var loss] ? loss.Kind : (LossKind?)null).ShouldBe(kind);
        losses.ShouldAllBe(static l => l.Severity == Severity.Error);
    }

    [Fact]
    public void Sessions_that_a_janitor_empties_are_no_loss_and_sessions_that_are_dropped_are()
    {
        nights.Take(3);
        nights["ciam", "public.sessions"] = nights["ciam", "public.sessions"] with { Rows = 0 };
        nights.Take().Losses.ShouldBeEmpty();
        nights.Databases["ciam"].Remove("public.sessions");

        Red(nights.Take()).ShouldBe(["table_gone ciam.public.sessions"]);
    }

    [Theory]
    [InlineData(50, null)]
    [InlineData(49, Severity.Warning)]
    [InlineData(10, Severity.Warning)]
    [InlineData(9, Severity.Error)]
    [InlineData(0, Severity.Error)]
    public void A_table_that_nobody_classified_warns_below_half_and_alarms_when_nine_tenths_are_gone(long now, Severity? severity)
    {
        nights.Take(3);
        nights["ciam", "public.notes"] = nights["ciam", "public.notes"] with { Rows = now };

        (nights.Take().Losses is [var loss] ? loss.Severity : (Severity?)null).ShouldBe(severity);
    }

    [Fact]
    public void It_alarms_when_it_stays_for_two_runs_and_not_when_it_comes_back()
    {
        nights.Take(3);
        LossTable whole = nights["ciam", "public.notes"];
        nights["ciam", "public.notes"] = whole with { Rows = 40 };
        Red(nights.Take()).ShouldBeEmpty();
        Red(nights.Take()).ShouldBe(["table_shrunk ciam.public.notes"]);

        nights["ciam", "public.notes"] = whole;
        nights.Take().Losses.ShouldBeEmpty();
    }

    [Fact]
    public void What_it_dips_to_now_and_then_is_normal()
    {
        LossTable whole = nights["ciam", "public.notes"];
        List<Severity> told = [];
        for (int week = 0; week < 6; week++)
        {
            nights.Take(6);
            nights["ciam", "public.notes"] = whole with { Rows = 30 };
            told.AddRange(nights.Take().Losses.Select(static l => l.Severity));
            nights["ciam", "public.notes"] = whole;
        }

        told.ShouldBe([Severity.Warning], "the first time");
    }

    [Fact]
    public void What_a_new_table_had_when_it_was_new_is_no_dip()
    {
        nights.Take(3);
        foreach (long rows in (long[])[0, 3, 40, 300, 900, 1000, 1010])
        {
            nights["ciam", "public.jobs"] = new(rows);
            nights.Take();
        }

        nights["ciam", "public.jobs"] = new(0);

        Red(nights.Take()).ShouldBe(["table_emptied ciam.public.jobs"]);
    }

    [Fact]
    public void Of_a_table_of_nine_rows_that_nobody_classified_nothing_is_said()
    {
        nights["ciam", "public.notes"] = new(9);
        nights.Take(3);
        nights["ciam", "public.notes"] = new(0);

        nights.Take().Losses.ShouldBeEmpty();
    }

    [Fact]
    public void The_config_wins_over_what_is_known()
    {
        LossNights other = new() { Classes = new TableClasses(["ciam.public.identities"], ["ciam.public.sessions", "ciam.My Schema.T"]) };
        other["ciam", "public.identities"] = new(100);
        other["ciam", "public.identity_credentials"] = new(100);
        other["ciam", "public.sessions"] = new(100);
        other["ciam", "\"My Schema\".\"T\""] = new(100);
        other.Take(2);
        foreach (string table in other.Databases["ciam"].Keys)
        {
            other["ciam", table] = new(45);
        }

        Red(other.Take())
            .ShouldBe([
                "table_shrunk ciam.\"My Schema\".\"T\"",
                "table_shrunk ciam.public.identity_credentials",
                "table_shrunk ciam.public.sessions",
            ]);
    }

    [Fact]
    public void A_table_of_the_same_name_in_another_application_is_not_ephemeral()
    {
        LossNights other = new();
        other["shop", "public.sessions"] = new(100);
        other.Take(2);
        other["shop", "public.sessions"] = new(0);

        Red(other.Take()).ShouldBe(["table_emptied shop.public.sessions"]);
    }

    [Fact]
    public void A_durable_table_that_loses_a_tenth_a_day_is_found_within_the_week_and_every_night_from_then_on()
    {
        nights.Take(10);
        double rows = 1000;
        List<bool> red = [];
        for (int day = 1; day <= 40; day++)
        {
            rows = day <= 10 ? rows * 0.9 : rows;
            nights["ciam", "public.identities"] = nights["ciam", "public.identities"] with { Rows = (long)rows };
            red.Add(Red(nights.Take()).Count > 0);
        }

        red.IndexOf(true).ShouldBe(6, "on the seventh day");
        red.Skip(6).ShouldAllBe(static r => r);
    }

    [Fact]
    public void A_slower_loss_is_found_within_the_month()
    {
        nights.Take(31);
        double rows = 1000;
        List<bool> red = [];
        for (int day = 1; day <= 40; day++)
        {
            rows *= 0.97;
            nights["ciam", "public.identities"] = nights["ciam", "public.identities"] with { Rows = (long)rows };
            red.Add(Red(nights.Take()).Count > 0);
        }

        red.IndexOf(true).ShouldBeInRange(20, 30);
    }

    [Fact]
    public void A_renamed_table_is_gone_and_the_new_name_is_told()
    {
        nights.Take();
        nights["ciam", "public.people"] = nights["ciam", "public.identities"];
        nights.Databases["ciam"].Remove("public.identities");

        Manifest now = nights.Take();

        Red(now).ShouldBe(["table_gone ciam.public.identities"]);
        now.Losses[0].RenamedTo.ShouldBe("public.people");
        LossFindings
            .Of(now.Losses[0], now.Id, isConfirmed: false)
            .Text.ShouldBe(
                "ciam: the table public.identities is gone in 20260302T030000Z: 20260301T030000Z has it, with 1,000 rows; it looks renamed "
                    + "to public.people, which has the same rows. If that was meant: `olympus-pgbackup confirm 20260302T030000Z "
                    + "--table ciam.public.identities`. If not, it is in 20260301T030000Z: `olympus-pgbackup restore 20260301T030000Z "
                    + "-d ciam --table public.identities --into-schema rescued -t TARGET -i KEY`"
            );
    }
}
