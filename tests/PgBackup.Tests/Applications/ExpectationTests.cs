using PgBackup.Applications;

namespace PgBackup.Tests.Applications;

public sealed class ExpectationTests
{
    [Theory]
    [InlineData("> 0", "1", true)]
    [InlineData("> 0", "0", false)]
    [InlineData(">0", "0.5", true)]
    [InlineData(">= 2.50", "2.5", true)]
    [InlineData(">= 2.51", "2.5", false)]
    [InlineData("< -1", "-1.01", true)]
    [InlineData("<= 5", "5.0000000000001", false)]
    [InlineData("> 9", "10", true)] // as numbers, not as text
    [InlineData("> 0", "many", false)]
    [InlineData("= 3", "3.0", true)]
    [InlineData("3", "3.0", true)]
    [InlineData("3", "4", false)]
    [InlineData("!= 3", "3.0", false)]
    [InlineData("!= 3", "4", true)]
    [InlineData("= x", "x", true)]
    [InlineData("two words", "two words", true)]
    [InlineData("  padded ", "padded", true)]
    [InlineData("x", "X", false)]
    [InlineData("!= x", "y", true)]
    [InlineData("!= x", "x", false)]
    [InlineData("!= 3", "three", true)]
    [InlineData("true", "t", true)]
    [InlineData("false", "f", true)]
    [InlineData("!= true", "f", true)]
    [InlineData("true", "f", false)]
    [InlineData("t", "t", true)]
    [InlineData("rows", "", true)]
    public void An_answer_is_as_expected_or_not(string expectation, string answer, bool met) =>
        Expectation.TryParse(expectation).ShouldNotBeNull().IsMetBy(answer, 1).ShouldBe(met);

    [Theory]
    [InlineData("> 0")]
    [InlineData("< 1")]
    [InlineData("0")]
    [InlineData("!= 0")]
    [InlineData("!= x")]
    public void NULL_and_no_row_meet_nothing(string expectation) =>
        Expectation.TryParse(expectation).ShouldNotBeNull().IsMetBy(null, 1).ShouldBeFalse();

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    public void Rows_are_rows_whatever_is_in_them(int rows, bool met) =>
        Expectation.TryParse(" rows ").ShouldNotBeNull().IsMetBy(null, rows).ShouldBe(met);

    [Theory]
    [InlineData(">")]
    [InlineData(">= ")]
    [InlineData("=")]
    [InlineData("!=")]
    [InlineData("> many")]
    [InlineData("<= x")]
    [InlineData("> 1,000")]
    public void An_operator_without_a_number_or_a_value_is_no_expectation(string text) => Expectation.TryParse(text).ShouldBeNull();

    [Fact]
    public void It_is_shown_as_it_was_written() => Expectation.TryParse(">=2").ShouldNotBeNull().Text.ShouldBe(">=2");
}
