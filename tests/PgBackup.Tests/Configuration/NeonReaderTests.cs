using PgBackup.Configuration;
using static PgBackup.Tests.Configuration.ConfigText;

namespace PgBackup.Tests.Configuration;

public sealed class NeonReaderTests
{
    [Fact]
    public void Everything_is_read()
    {
        NeonConfig? neon = Read("{ project: wispy-wind-123456, api_key_file: /etc/neon.key, window: 7d, branch: main }").Neon;

        neon.ShouldBe(
            new NeonConfig
            {
                Project = "wispy-wind-123456",
                KeyFile = "/etc/neon.key",
                Window = TimeSpan.FromDays(7),
                Branch = "main",
            }
        );
    }

    [Fact]
    public void Window_and_branch_may_be_left_out()
    {
        NeonConfig? neon = Read("{ project: x, api_key_file: /nowhere/neon.key }").Neon;

        (neon?.Window, neon?.Branch).ShouldBe((null, null));
        ConfigReader.ParseForBackup(Right, "test.yaml").Neon.ShouldBeNull();
    }

    [Fact]
    public void The_file_of_the_key_is_one_of_the_secrets() =>
        ConfigReader.SecretFiles(Read("{ project: x, api_key_file: /etc/neon.key }")).ShouldContain("/etc/neon.key");

    [Theory]
    [InlineData("{}", "project: it is missing. Write the id of the project: the Neon console shows it in its settings.")]
    [InlineData(
        "{ project: x }",
        "api_key_file: it is missing. Write the whole path of a file (mode 0600) with nothing but an API key in it."
    )]
    [InlineData("{ project: ../x, api_key_file: /k }", "project: \"../x\" is no id of a project.")]
    [InlineData("{ project: 'my project', api_key_file: /k }", "project: \"my project\" is no id of a project.")]
    [InlineData("{ project: x, api_key_file: neon.key }", "api_key_file: it is not the whole path of a file.")]
    [InlineData("{ project: x, api_key_file: /k, window: 0s }", "window: it is out of bounds.")]
    [InlineData("{ project: x, api_key_file: /k, window: long }", "window: \"long\" is not a length of time.")]
    [InlineData("{ project: x, api_key_file: /k, branch: '' }", "branch: it is empty.")]
    [InlineData("{ project: x, api_key_file: /k, api: 'https://example.org' }", "api: there is no such key. Known here: ")]
    public void What_is_wrong_is_said(string section, string error) =>
        ErrorsOf($"{Right}\nneon: {section}\n").ShouldContain(e => e.StartsWith($"line 9: neon.{error}", StringComparison.Ordinal));

    private static BackupConfig Read(string section) => ConfigReader.ParseForBackup($"{Right}\nneon: {section}\n", "test.yaml");
}
