using PgBackup.Operations;

namespace PgBackup.Tests.Operations;

/// <summary>Which of several clocks is wrong.</summary>
public sealed class ClockReadingTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 22, 4, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(0, 0)]
    [InlineData(5, 0)] // within the time of the answer
    [InlineData(12, 2)]
    [InlineData(-3, -3)]
    public void A_clock_that_was_read_during_an_answer_is_off_by_what_lies_outside_of_it(int told, int ahead) =>
        ClockReading.Of("x", Now.AddSeconds(told), Now, TimeSpan.FromSeconds(10)).Ahead.TotalSeconds.ShouldBe(ahead);

    [Fact]
    public void A_minute_is_no_finding_and_more_than_a_quarter_of_an_hour_an_error() =>
        ClockReading
            .Judge([Of("a", 60), Of("b", -61), Of("c", 901)])
            .Select(static f => (f.Severity, f.What))
            .ShouldBe([
                (Severity.Warning, "the clock of b is 61 s behind this host's"),
                (Severity.Error, "the clock of c is 15 min ahead of this host's"),
            ]);

    [Fact]
    public void Where_all_others_agree_this_host_is_wrong()
    {
        Finding finding = ClockReading.Judge([Of("a", 7200), Of("b", 7230)]).ShouldHaveSingleItem();

        (finding.Subject, finding.What).ShouldBe(("this host", "the clock of this host is 2 h behind those of a and of b"));
    }

    [Fact]
    public void Where_one_agrees_with_this_host_it_is_the_others() =>
        ClockReading.Judge([Of("a", -200_000), Of("b", -200_000), Of("c", 0)]).Select(static f => f.Subject).ShouldBe(["a", "b"]);

    [Fact]
    public void No_clock_is_no_finding() => ClockReading.Judge([]).ShouldBeEmpty();

    private static ClockReading Of(string name, int seconds) => new(name, TimeSpan.FromSeconds(seconds));
}
