using PgBackup.Losses;
using PgBackup.Records;
using PgBackup.Snapshots;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Losses;

public sealed class ConfirmationsTests
{
    [Fact]
    public void Nothing_is_confirmed_that_nobody_confirmed()
    {
        Confirmations.None.Covers(Night(10, Gone(9)), Gone(9)).ShouldBeFalse();
        new Confirmations([Confirmation(10, Shrunk(9, 40))]).Covers(Night(10), Gone(9)).ShouldBeFalse();
    }

    [Fact]
    public void What_was_announced_needs_no_confirmation() =>
        Confirmations.None.Covers(Night(10), Gone(9) with { IsExpected = true }).ShouldBeTrue();

    [Fact]
    public void One_confirmation_settles_the_loss_in_every_snapshot_that_has_it()
    {
        var all = new Confirmations([Confirmation(11, Gone(9))]);

        foreach (int night in (int[])[10, 11, 12, 20])
        {
            all.Covers(Night(night), Gone(9)).ShouldBeTrue($"night {night}");
        }
    }

    [Fact]
    public void Two_losses_in_two_nights_and_one_confirmation_leave_the_other()
    {
        // The second came after the snapshot that was confirmed.
        var first = new Confirmations([Confirmation(10, Gone(9))]);
        first.Covers(Night(11), Gone(9)).ShouldBeTrue();
        first.Covers(Night(11), Shrunk(10, 40)).ShouldBeFalse();

        // Both stood in the second snapshot, and one of them was named (--table).
        var partly = new Confirmations([Confirmation(11, Shrunk(10, 40))]);
        partly.Covers(Night(11), Shrunk(10, 40)).ShouldBeTrue();
        partly.Covers(Night(11), Gone(9)).ShouldBeFalse();
        partly.Covers(Night(10), Gone(9)).ShouldBeFalse();
    }

    [Fact]
    public void A_second_loss_of_the_same_table_is_not_covered_by_the_confirmation_of_the_first()
    {
        var all = new Confirmations([Confirmation(10, Shrunk(9, 40))]);

        all.Covers(Night(15), Shrunk(14, 40)).ShouldBeFalse("it had recovered until the 14th");
        all.Covers(Night(15), Shrunk(10, 19)).ShouldBeFalse("less than half of what was confirmed");
        all.Covers(Night(15), Shrunk(9, 19)).ShouldBeFalse("less than half of what was confirmed");
        all.Covers(Night(15), Of(LossKind.TableEmptied, "public.identity_credentials", 100, 0, 9)).ShouldBeFalse("another kind");
        all.Covers(Night(15), Of(LossKind.TableGone, "public.identity_credentials", 100, 0, 9)).ShouldBeFalse("another kind");
    }

    [Theory]
    [InlineData(40, true)]
    [InlineData(20, true)]
    [InlineData(19, false)]
    [InlineData(0, false)]
    [InlineData(long.MaxValue, true)]
    public void A_newer_snapshot_may_have_half_of_the_rows_that_were_confirmed(long now, bool covered) =>
        new Confirmations([Confirmation(10, Shrunk(9, 40))]).Covers(Night(12), Shrunk(9, now)).ShouldBe(covered);

    [Fact]
    public void A_table_that_came_back_and_is_gone_again_is_a_loss_of_its_own()
    {
        var all = new Confirmations([Confirmation(10, Gone(9))]);

        all.Covers(Night(12), Gone(9)).ShouldBeTrue();
        all.Covers(Night(20), Gone(19)).ShouldBeFalse();
        new Confirmations([Confirmation(10, Gone(9)), Confirmation(20, Gone(19))]).Covers(Night(20), Gone(19)).ShouldBeTrue();
    }

    [Fact]
    public void Columns_and_databases_are_things_of_their_own()
    {
        Loss column = Gone(9) with { Kind = LossKind.ColumnGone, Column = "traits" };
        Loss database = Gone(9) with { Kind = LossKind.DatabaseGone, Table = null };
        var all = new Confirmations([Confirmation(10, column)]);

        all.Covers(Night(10), column).ShouldBeTrue();
        all.Covers(Night(10), column with { Column = "state" }).ShouldBeFalse();
        all.Covers(Night(10), database).ShouldBeFalse();
        new Confirmations([Confirmation(10, database)]).Covers(Night(10), Gone(9)).ShouldBeFalse();
    }

    [Fact]
    public void Two_things_whose_names_read_alike_are_two()
    {
        Loss one = Gone(9) with { Database = "a", Table = "b.c" };
        Loss other = Gone(9) with { Database = "a.b", Table = "c" };
        one.Subject.ShouldBe(other.Subject);

        new Confirmations([Confirmation(10, one)]).Covers(Night(10), other).ShouldBeFalse();
    }

    [Fact]
    public void Records_that_are_no_confirmations_or_make_no_sense_confirm_nothing()
    {
        Record right = Confirmation(10, Gone(9));
        Record[] wrong =
        [
            right with
            {
                Kind = RecordKind.Pin,
            },
            right with
            {
                Result = RecordResult.Failed,
            },
            right with
            {
                Result = RecordResult.Unknown,
            },
            right with
            {
                Snapshot = null,
            },
            right with
            {
                Snapshot = "latest",
            },
            right with
            {
                Confirmed = [],
            },
            right with
            {
                Confirmed = [null!],
            },
            right with
            {
                Confirmed = [Gone(9) with { Now = -1 }],
            },
            right with
            {
                Confirmed = [Gone(9) with { Kind = LossKind.Unknown }],
            },
        ];

        foreach (Record record in wrong)
        {
            new Confirmations([record]).Covers(Night(10), Gone(9)).ShouldBeFalse(record.ToString());
        }

        Confirmations unknown = new([right with { Confirmed = [Gone(9) with { Kind = LossKind.Unknown }] }]);
        unknown.Covers(Night(10), Gone(9) with { Kind = LossKind.Unknown }).ShouldBeFalse("a kind of a newer version");
        new Confirmations([right]).Covers(Night(12), Gone(9) with { Since = "nonsense" }).ShouldBeFalse();
        new Confirmations([right]).Covers(Night(10) with { Id = "nonsense" }, Gone(9)).ShouldBeFalse();
    }

    [Fact]
    public void A_confirmation_of_a_snapshot_of_the_future_is_about_that_one_alone()
    {
        Record future = Confirmation(28, Gone(9)) with { Started = Day(10, 8).Time };
        var all = new Confirmations([future]);

        all.Covers(Night(28), Gone(9)).ShouldBeTrue();
        all.Covers(Night(10), Gone(9)).ShouldBeFalse();
        all.Covers(Night(29), Gone(9)).ShouldBeFalse();
    }

    [Fact]
    public void The_newest_record_that_covers_a_loss_is_named_whatever_their_order()
    {
        Record first = Confirmation(10, Gone(9));
        Record second = Confirmation(11, Gone(9)) with { Note = "again" };

        new Confirmations([first, second]).Find(Night(10), Gone(9)).ShouldBe(second);
        new Confirmations([second, first]).Find(Night(10), Gone(9)).ShouldBe(second);
    }
}
