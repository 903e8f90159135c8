using PgBackup.Losses;
using PgBackup.Snapshots;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Losses;

public sealed class SurveyedLossesTests
{
    private static readonly Loss Yellow = Shrunk(21, 40, "public.jobs") with { Severity = Severity.Warning };

    [Fact]
    public void A_loss_is_red_until_it_is_settled()
    {
        SurveyedLosses losses = LossSurvey.Of(Night(22, Gone(21), Yellow), Confirmations.None);

        losses.Unconfirmed.Select(static l => l.Loss).ShouldBe([Gone(21)]);
        losses.Open.Select(static f => f.Severity).ShouldBe([Severity.Error, Severity.Warning]);
        losses.Findings[0].Fix.ShouldNotBeNull().ShouldContain($"`olympus-pgbackup confirm {Day(22)} --table ");
    }

    [Fact]
    public void A_confirmed_loss_is_a_note_that_says_who_when_and_why()
    {
        SurveyedLosses losses = LossSurvey.Of(Night(22, Gone(21)), new Confirmations([Confirmation(22, Gone(21))]));

        losses.Open.ShouldBeEmpty();
        Finding note = losses.Findings.Single();
        note.Severity.ShouldBe(Severity.Note);
        note.Fix.ShouldBeNull();
        note.Why.ShouldNotBeNull().ShouldEndWith("; it is confirmed, 2026-03-22 08:00 UTC by ada on backup1: the migration");
    }

    [Fact]
    public void A_line_names_three_and_how_many_more()
    {
        Loss[] five = [.. Enumerable.Range(1, 5).Select(static n => Gone(21) with { Table = $"public.t{n}" })];

        LossSurvey
            .Of(Night(22, five), Confirmations.None)
            .Names.ShouldBe("ciam_kratos.public.t1, ciam_kratos.public.t2, ciam_kratos.public.t3 and 2 more");
        LossSurvey.Of(Night(22, five[..1]), Confirmations.None).Names.ShouldBe("ciam_kratos.public.t1");
    }

    [Fact]
    public void What_a_record_says_is_data()
    {
        JudgedLoss
            .Told(Confirmation(22) with { User = "ada\u001b[31m", Host = null, Note = "a\nb" + new string('x', 300) })
            .ShouldBe($"2026-03-22 08:00 UTC by ada\\x1B[31m: a b{new string('x', 197)}...");
        JudgedLoss.Told(Confirmation(22) with { User = null, Host = null, Note = null }).ShouldBe("2026-03-22 08:00 UTC");
    }
}
