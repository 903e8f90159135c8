using PgBackup.Operations.Drill;

namespace PgBackup.Tests.Operations.Drill;

/// <summary>Answers of restored databases, which anybody may have written, in reports and on terminals.</summary>
public sealed class DrillAnswerTests
{
    [Theory]
    [InlineData("42", "42")]
    [InlineData("größe | 表", "größe | 表")]
    [InlineData("\u001b[31mred\u0007\r\nforged", "\uFFFD[31mred\uFFFD\uFFFD\uFFFDforged")]
    public void Control_characters_are_made_visible(string answer, string shown) => DrillQuestions.Shown(answer).ShouldBe(shown);

    [Fact]
    public void A_long_answer_is_cut_and_its_length_told()
    {
        string shown = DrillQuestions.Shown(new string('x', 3_000_000));

        shown.ShouldBe(new string('x', 200) + "... (3000000 characters)");
    }
}
