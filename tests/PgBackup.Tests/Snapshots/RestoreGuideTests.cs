using PgBackup.Snapshots;
using PgBackup.Tools;

namespace PgBackup.Tests.Snapshots;

public sealed class RestoreGuideTests
{
    [Theory]
    [InlineData("gpg")]
    [InlineData("age")]
    [InlineData("none")]
    public void It_is_as_people_will_read_it(string encryption) =>
        RestoreGuide.Write(ManifestSample.Of(ManifestSample.Id, encryption)).ShouldBeAsExpected($"RESTORE-{encryption}.md");

    [Fact]
    public void It_tells_nobody_to_read_an_unknown_kind_of_encryption_as_clear_text() =>
        Should
            .Throw<PgBackupException>(() => RestoreGuide.Write(ManifestSample.Of(ManifestSample.Id) with { Encryption = "pgp2" }))
            .Code.ShouldBe(ErrorCode.ManifestTooNew);

    [Fact]
    public void It_says_first_what_is_missing()
    {
        Manifest manifest = ManifestSample.Incomplete(ManifestSample.Id);
        string text = RestoreGuide.Write(manifest with { Parts = [.. manifest.Databases], LeftOut = ["iam_hydra"] });

        text.ShouldContain(
            "It holds NO roles and 2 databases: it is INCOMPLETE.\nMissing: olympus (PGB-0021).\nLeft out on demand: iam_hydra.\n"
        );
        text.ShouldNotContain("Roles first");
        text.ShouldContain("## 2. The databases");
    }

    [Fact]
    public void It_names_a_first_superuser_whose_grants_another_server_would_refuse()
    {
        Manifest manifest = ManifestSample.Of(ManifestSample.Id);

        RestoreGuide
            .Write(manifest with { BootstrapSuperuser = "admin" })
            .ShouldContain("The first superuser of the original was \"admin\"");
        RestoreGuide.Write(manifest with { BootstrapSuperuser = "postgres" }).ShouldBe(RestoreGuide.Write(manifest));
    }

    [Theory]
    [InlineData("20260301T030000Z-ciam_kratos.dump.gpg", "20260301T030000Z-ciam_kratos.dump.gpg")]
    [InlineData("", "''")]
    [InlineData("it's", "'it'\\''s'")]
    [InlineData("$(id)", "'$(id)'")]
    [InlineData("a%20b", "'a%20b'")]
    public void A_word_is_quoted_when_it_must_be(string word, string quoted) => ShellText.Word(word).ShouldBe(quoted);

    [Fact]
    public async Task A_shell_reads_every_word_back_as_it_was()
    {
        string[] words = ["", " ", "'", "''", "\"", "a\nb", "$(id)", "`id`", "\\", "*", "~", "größe", "-n", "a&b;c|d>e", "#", "!"];

        string output = await ToolProcess.ReadAsync(
            new ToolCommand("sh", "-c", $"printf '<%s>' {string.Join(' ', words.Select(ShellText.Word))}"),
            Cancel
        );

        output.ShouldBe(string.Concat(words.Select(static w => $"<{w}>")));
    }
}
