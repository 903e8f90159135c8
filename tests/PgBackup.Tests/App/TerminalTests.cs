using PgBackup.App.Render;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;
using Spectre.Console;

namespace PgBackup.Tests.App;

public sealed class TerminalTests : IDisposable
{
    private const string Hostile = "\u001b]0;owned\u0007\u001b[2J\r\u009b1A\u007f";

    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("plain, größe 漢字\n\ttab", "plain, größe 漢字\n\ttab")]
    [InlineData("a\u001b[31mred\u0007\r\u0000", @"a\x1B[31mred\x07\x0D\x00")]
    [InlineData("\u009b\u007f", @"\x9B\x7F")]
    [InlineData("drop \u202egnp.exe\u2066\u200b\u2028\U000E0041", @"drop \u202Egnp.exe\u2066\u200B\u2028\U000E0041")]
    public void Control_characters_are_shown_and_line_ends_and_tabs_kept(string text, string shown)
    {
        Terminal.Harmless(text).ShouldBe(shown);
        Terminal.InOneLine(text).ShouldBe(shown.Replace('\n', ' ').Replace('\t', ' '));
    }

    [Theory]
    [InlineData("list")]
    [InlineData("show --tables")]
    [InlineData("restore -t podman:x -d nothing")]
    [InlineData("list --json")]
    [InlineData("show --json")]
    public async Task Nothing_that_a_manifest_says_is_obeyed_by_the_terminal(string arguments)
    {
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nsource: {{ podman: x }}\ndatabases: [olympus]\nencryption: none\nstores: [{{ name: local, path: "
                + $"{folder["store"]} }}]\n"
        );
        Manifest sample = ManifestSample.Of(ManifestSample.Id, "none");
        Manifest manifest = sample with
        {
            Cluster = Hostile,
            Source = Hostile,
            Notes = [Hostile],
            Parts =
            [
                .. sample.Parts.Select(static p =>
                    p.Database is null
                        ? p
                        : p with
                        {
                            Database = p.Database + Hostile,
                            Object = SnapshotLayout.DatabaseName(ManifestSample.Id, p.Database + Hostile, ""),
                            Warnings = [Hostile],
                        }
                ),
            ],
            Failures =
            [
                new PartFailure
                {
                    Part = Hostile,
                    Code = "PGB-0021",
                    Message = Hostile,
                },
            ],
        };
        Directory.CreateDirectory(folder["store/" + manifest.Id]);
        await File.WriteAllBytesAsync(folder[$"store/{manifest.Id}/manifest.json"], manifest.ToJson(), Cancel);
        string[] words = arguments.Split(' ');

        AppResult result = await AppProcess.RunAsync(folder.Path, words[0] is "list" ? words : [words[0], manifest.Id, .. words[1..]]);

        (result.Output + result.Errors).ShouldContain("1b", Case.Insensitive);
        (result.Output + result.Errors).Where(static c => char.IsControl(c) && c is not ('\n' or '\t')).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    [InlineData(100)]
    public void A_line_of_progress_is_never_longer_than_the_terminal_is_wide(double value)
    {
        var task = new ProgressTask(1, "x", 100);
        task.Increment(value);
        for (int width = 1; width < 150; width++)
        {
            ProgressDisplay.Line("restore a_database_of_some_length restoring", 43, width, task).Length.ShouldBeLessThanOrEqualTo(width);
        }
    }

    [Theory]
    [InlineData("olympus: 12 tables stored", 10, "olympus:  |12 tables |stored    ")]
    [InlineData("olympus: 12 tables stored", 12, "olympus: 12 |tables      |stored      ")]
    [InlineData("anincrediblylongname", 8, "anincred|iblylong|name    ")]
    [InlineData("fits", 4, "fits")]
    [InlineData("", 4, "")]
    public void A_finished_step_fills_its_lines_and_loses_nothing(string text, int width, string lines) =>
        string.Join('|', ProgressDisplay.Folded(text, width)).ShouldBe(lines);

    [Fact]
    public void With_less_room_a_line_of_progress_says_less()
    {
        var task = new ProgressTask(1, "x", 1000);
        task.Increment(500);

        string At(int width) => ProgressDisplay.Line("olympus storing", 19, width, task).TrimEnd();

        At(100).ShouldBe("olympus storing     [############............]  50 %     500 B");
        At(60).ShouldBe("olympus storing      50 %     500 B");
        At(40).ShouldBe("olympus storing      50 %     500 B");
        At(24).ShouldBe("olympus   50 %     500 B");
    }
}
