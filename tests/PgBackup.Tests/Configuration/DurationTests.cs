using PgBackup.Configuration;

namespace PgBackup.Tests.Configuration;

public sealed class DurationTests
{
    [Theory]
    [InlineData("0s", 0)]
    [InlineData("30s", 30)]
    [InlineData("5m", 300)]
    [InlineData("2 h", 7200)]
    [InlineData("14d", 1209600)]
    [InlineData("12w", 7257600)]
    [InlineData("999999w", 604799395200)]
    public void A_number_and_a_unit_are_a_length_of_time(string text, long seconds) =>
        Duration.TryParse(text).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Theory]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1.5h")]
    [InlineData("30 sec")]
    [InlineData("1h30m")]
    [InlineData("12mo")]
    [InlineData("30S")]
    [InlineData("1000000s")]
    [InlineData("٣s")]
    public void Anything_else_is_none(string text) => Duration.TryParse(text).ShouldBeNull();
}
