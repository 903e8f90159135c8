using PgBackup.Tools;

namespace PgBackup.Tests.Tools;

public sealed class QuotationTests
{
    private static readonly CancellationToken Cancel = TestContext.Current.CancellationToken;

    [Fact]
    public void A_long_line_is_cut_and_says_how_much_is_left_out()
    {
        Quotation.Line(new string('x', 500)).ShouldBe(new string('x', 500));
        Quotation.Line(new string('x', 200_500)).ShouldBe(new string('x', 500) + " ... (200,000 more characters)");
        Quotation.Line("aa\U0001F600b", 3).ShouldBe("aa ... (3 more characters)");
    }

    [Fact]
    public void Long_lines_together_are_cut_from_the_front()
    {
        IReadOnlyList<string> lines = Quotation.Lines(Enumerable.Repeat(new string('x', 490), 12).Append("last"), 12);

        lines[0].ShouldBe("(3 earlier lines left out)");
        lines[^1].ShouldBe("last");
        lines.Sum(static l => l.Length).ShouldBeLessThan(Quotation.Length + 100);
    }

    [Fact]
    public void A_failure_quotes_a_statement_that_names_every_table_only_in_part()
    {
        string[] said =
        [
            "pg_dump: error: query failed: ERROR:  out of shared memory",
            $"pg_dump: detail: Query was: LOCK TABLE {new string('t', 200_000)}",
        ];

        PgBackupException failure = ToolFailure.Of(new ToolCommand("pg_dump"), 1, said);

        failure.Message.Length.ShouldBeLessThan(700);
        failure.Message.ShouldContain("out of shared memory");
        failure.Message.ShouldEndWith("more characters)");
    }

    [Fact]
    public async Task A_line_of_any_length_is_bounded_while_it_is_read()
    {
        ToolResult result = await ToolProcess.TryReadAsync(
            FakeTool.Of("head -c 3000000 /dev/zero | tr '\\0' x >&2; printf '\\r\\nnext\\n\\nlast' >&2"),
            Cancel
        );

        result.Errors[0].Length.ShouldBeLessThan(20_000);
        result.Errors[0].ShouldEndWith(" ... (2,983,616 more characters)");
        result.Errors.Skip(1).ShouldBe(["next", "", "last"]);
    }
}
