using PgBackup.Retention;

namespace PgBackup.Tests.Retention;

public sealed class RetentionLengthTests
{
    [Theory]
    [InlineData("6h")]
    [InlineData("14d")]
    [InlineData("3w")]
    [InlineData("12mo")]
    [InlineData("2y")]
    [InlineData("1h")]
    [InlineData("99999y")]
    [InlineData("forever")]
    public void It_is_written_as_it_is_read(string text) => RetentionLength.TryParse(text).ShouldNotBeNull().ToString().ShouldBe(text);

    [Fact]
    public void A_space_before_the_unit_is_allowed() =>
        RetentionLength.TryParse("14 d").ShouldBe(RetentionLength.Of(14, RetentionUnit.Days));

    [Theory]
    [InlineData("")]
    [InlineData("14")]
    [InlineData("d")]
    [InlineData("0d")]
    [InlineData("-1d")]
    [InlineData("014d")]
    [InlineData("1.5d")]
    [InlineData("100000d")]
    [InlineData("99999999999d")]
    [InlineData("12m")]
    [InlineData("14D")]
    [InlineData(" 14d")]
    [InlineData("14d ")]
    [InlineData("14d\n")]
    [InlineData("1y6mo")]
    [InlineData("\u0661d")]
    [InlineData("Forever")]
    [InlineData("never")]
    public void Any_other_text_is_none(string text) => RetentionLength.TryParse(text).ShouldBeNull();

    [Theory]
    [InlineData("6h", "2026-03-01T03:00:00Z", "2026-03-01T09:00:00Z")]
    [InlineData("14d", "2024-02-20T03:00:00Z", "2024-03-05T03:00:00Z")]
    [InlineData("3w", "2026-03-01T03:00:00Z", "2026-03-22T03:00:00Z")]
    [InlineData("1mo", "2026-01-31T03:00:00Z", "2026-02-28T03:00:00Z")]
    [InlineData("1mo", "2024-01-31T03:00:00Z", "2024-02-29T03:00:00Z")]
    [InlineData("1mo", "2026-02-28T03:00:00Z", "2026-03-28T03:00:00Z")]
    [InlineData("12mo", "2024-02-29T03:00:00Z", "2025-02-28T03:00:00Z")]
    [InlineData("1y", "2024-02-29T03:00:00Z", "2025-02-28T03:00:00Z")]
    [InlineData("4y", "2024-02-29T03:00:00Z", "2028-02-29T03:00:00Z")]
    [InlineData("13mo", "2026-12-31T03:00:00Z", "2028-01-31T03:00:00Z")]
    [InlineData("1mo", "2026-03-01T01:00:00+02:00", "2026-03-28T23:00:00Z")]
    public void It_ends_by_the_calendar_of_utc(string length, string start, string end) =>
        RetentionLength.TryParse(length)!.End(Snapshot.Time(start)).ShouldBe(Snapshot.Time(end));

    [Theory]
    [InlineData("forever", "2026-03-01T03:00:00Z")]
    [InlineData("99999y", "2026-03-01T03:00:00Z")]
    [InlineData("99999mo", "2026-03-01T03:00:00Z")]
    [InlineData("99999w", "9000-03-01T03:00:00Z")]
    [InlineData("1h", "9999-12-31T23:30:00Z")]
    [InlineData("1mo", "9999-12-01T00:00:00Z")]
    [InlineData("1d", "9999-12-31T00:00:00-12:00")]
    public void What_would_end_beyond_the_calendar_never_ends(string length, string start) =>
        RetentionLength.TryParse(length)!.End(DateTimeOffset.Parse(start)).ShouldBeNull();

    [Fact]
    public void The_last_moments_of_the_calendar_can_be_reached()
    {
        RetentionLength
            .Of(1, RetentionUnit.Months)
            .End(Snapshot.Time("9999-11-30T00:00:00Z"))
            .ShouldBe(Snapshot.Time("9999-12-30T00:00:00Z"));
        RetentionLength.Of(1, RetentionUnit.Hours).End(DateTimeOffset.MaxValue.AddHours(-1)).ShouldBe(DateTimeOffset.MaxValue);
        RetentionLength.Of(1, RetentionUnit.Hours).End(DateTimeOffset.MaxValue.AddHours(-1).AddTicks(1)).ShouldBeNull();
    }

    [Theory]
    [InlineData(0, RetentionUnit.Days)]
    [InlineData(100_000, RetentionUnit.Days)]
    [InlineData(1, RetentionUnit.Forever)]
    [InlineData(1, (RetentionUnit)99)]
    public void A_length_that_cannot_be_is_refused(int number, RetentionUnit unit) =>
        Should.Throw<ArgumentOutOfRangeException>(() => RetentionLength.Of(number, unit));
}
