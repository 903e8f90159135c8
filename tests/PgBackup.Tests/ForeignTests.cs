using System.Text.RegularExpressions;
using PgBackup.Operations.Drill;
using PgBackup.Snapshots;
using PgBackup.Tests.Operations.Drill;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests;

public sealed partial class ForeignTests
{
    private const string Hostile =
        "\u001b[2J<script>alert(1)</script> [click](javascript:x) ![p](http://evil.example/p.png) `x` | cell\n# Restore drill: "
        + "PASSED\n03:00:00Z all is well";

    [Theory]
    [InlineData("ciam_kratos", "ciam_kratos")]
    [InlineData("a-b.c", "a-b.c")]
    [InlineData("größe ☂", "größe ☂")]
    [InlineData("<b>", "\\<b\\>")]
    [InlineData("[a](b)", "\\[a\\](b)")]
    [InlineData("# x", "\\# x")]
    [InlineData("a|b", "a\\|b")]
    [InlineData("_x_ *y*", "\\_x\\_ \\*y\\*")]
    [InlineData("see https://evil.example or www.evil.example", "see https\\://evil.example or www\\.evil.example")]
    [InlineData("a\nb\r\nc\td", "a b c d")]
    [InlineData("\u001b[31m\u202e", "\\\\x1B\\[31m\\\\u202E")]
    public void In_Markdown_a_name_is_nothing_but_a_text(string name, string written) => Foreign.Markdown(name).ShouldBe(written);

    [Theory]
    [InlineData("\u001b[31m", "\\x1B[31m")]
    [InlineData("a\rb", "a\\x0Db")]
    [InlineData("\u2028", "\\u2028")]
    [InlineData("plain\ttext", "plain\ttext")]
    public void On_a_terminal_nothing_is_obeyed(string text, string written) => Foreign.Text(text).ShouldBe(written);

    [Fact]
    public void A_hostile_name_forges_nothing_in_RESTORE_md()
    {
        Manifest sample = ManifestSample.Of(ManifestSample.Id);
        string text = RestoreGuide.Write(
            sample with
            {
                Cluster = Hostile,
                Parts = [.. sample.Parts.Select(static p => p.Database is null ? p : p with { Database = Hostile })],
                Notes = [Hostile],
                LeftOut = [Hostile],
                Failures =
                [
                    new PartFailure
                    {
                        Part = Hostile,
                        Code = "PGB-0021",
                        Message = Hostile,
                    },
                ],
            }
        );

        ShouldBeHarmless(text);
    }

    [Fact]
    public void A_hostile_name_forges_nothing_in_the_report_of_a_drill()
    {
        DrillReport report = DrillSample.Failed;
        ShouldBeHarmless(
            DrillText.Write(
                report with
                {
                    Findings =
                    [
                        Finding.Error(ErrorCode.RestoreFailed, Hostile, Hostile, Hostile, Hostile),
                        Finding.Note(ErrorCode.RestoreNoted, Hostile, Hostile),
                    ],
                    Databases = [.. report.Databases.Select(static d => d with { Name = Hostile, Problems = [Hostile] })],
                    Cluster = Hostile,
                    Target = Hostile,
                },
                []
            )
        );
    }

    private static void ShouldBeHarmless(string text)
    {
        text.ShouldNotContain("\u001b");
        Tags().IsMatch(text).ShouldBeFalse(text);
        text.Split('\n')
            .ShouldAllBe(static line =>
                !line.StartsWith("# Restore drill: PASSED", StringComparison.Ordinal)
                && !line.StartsWith("03:00:00Z", StringComparison.Ordinal)
            );
    }

    [GeneratedRegex(@"(?<!\\)(<script|\]\(|`x)")]
    private static partial Regex Tags();
}
