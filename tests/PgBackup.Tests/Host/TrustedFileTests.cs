using PgBackup.Configuration;
using PgBackup.Host;
using PgBackup.Snapshots;
using PgBackup.Tests.App;
using PgBackup.Tests.Snapshots;
using PgBackup.Tests.Tools;
using PgBackup.Tools;

namespace PgBackup.Tests.Host;

/// <summary>What another user can change commands nothing here. The tests run as root, and hand files to nobody.</summary>
public sealed class TrustedFileTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task A_file_of_another_user_is_refused_with_the_command_that_helps()
    {
        string file = folder.Write("config.yaml", "x");
        TrustedFile.Problem(file).ShouldBeNull();

        await RunAsync($"chown nobody {file}");

        TrustedFile.Problem(file).ShouldBe(($"{file} belongs to another user.", $"If it is as you want it: chown root {file}"));
    }

    [Theory]
    [InlineData("0664")]
    [InlineData("0646")]
    public async Task A_file_that_others_may_write_is_refused(string mode)
    {
        string file = folder.Write("config.yaml", "x");
        await RunAsync($"chmod {mode} {file}");

        TrustedFile.Problem(file).ShouldBe(($"{file} may be written by other users (mode {mode}).", $"chmod go-w {file}"));
    }

    [Fact]
    public async Task A_folder_above_it_that_others_may_write_is_refused_unless_it_is_sticky()
    {
        Directory.CreateDirectory(folder["open/inner"]);
        string file = folder.Write("open/inner/config.yaml", "x");
        await RunAsync($"chmod 777 {folder["open"]}");

        TrustedFile
            .Problem(file)
            .ShouldBe(($"{file} is in {folder["open"]}, where other users may exchange it (mode 0777).", $"chmod go-w {folder["open"]}"));

        await RunAsync($"chmod 1777 {folder["open"]}");
        TrustedFile.Problem(file).ShouldBeNull();
    }

    [Fact]
    public async Task A_path_in_a_command_that_helps_is_quoted_for_the_shell()
    {
        Directory.CreateDirectory(folder["it's open"]);
        string file = folder.Write("it's open/$(id) config.yaml", "x");
        await ToolProcess.ReadAsync(new ToolCommand("chmod", "666", file), Cancel);
        (string? Mode, string Remedy) first = Problem();
        await ToolProcess.ReadAsync(new ToolCommand("sh", "-c", first.Remedy), Cancel);
        TrustedFile.Problem(file).ShouldBeNull();

        await ToolProcess.ReadAsync(new ToolCommand("chmod", "777", folder["it's open"]), Cancel);
        await ToolProcess.ReadAsync(new ToolCommand("sh", "-c", Problem().Remedy), Cancel);
        TrustedFile.Problem(file).ShouldBeNull();

        await ToolProcess.ReadAsync(new ToolCommand("chmod", "644", file), Cancel);
        TrustedFile.Warning(file).ShouldNotBeNull().ShouldEndWith($"; chmod 600 {ShellText.Word(file)}");

        (string? Mode, string Remedy) Problem() => TrustedFile.Problem(file).ShouldNotBeNull();
    }

    [Fact]
    public async Task A_link_is_followed_into_the_folders_behind_it()
    {
        Directory.CreateDirectory(folder["open"]);
        folder.Write("open/config.yaml", "x");
        File.CreateSymbolicLink(folder["link"], folder["open/config.yaml"]);
        TrustedFile.Problem(folder["link"]).ShouldBeNull();

        await RunAsync($"chmod 777 {folder["open"]}");
        TrustedFile.Problem(folder["link"]).ShouldNotBeNull().What.ShouldContain($"is in {folder["open"]}");

        await RunAsync($"chmod 700 {folder["open"]}; chown -h nobody {folder["link"]}");
        TrustedFile.Problem(folder["link"]).ShouldNotBeNull().What.ShouldContain("the link");
    }

    [Fact]
    public async Task The_program_obeys_no_config_of_another_user_not_even_in_its_working_folder()
    {
        string file = folder.Write(
            "olympus-pgbackup.yaml",
            "cluster: theirs\nsource: { podman: x }\ndatabases: [a]\nencryption: none\nstores: [{ name: local, path: /nowhere }]\n"
        );
        await RunAsync($"chown nobody {file}; chmod 666 {file}");

        AppResult result = await AppProcess.RunAsync(folder.Path, "list");

        result.ExitCode.ShouldBe(2);
        result.Errors.ShouldContain("PGB-0012: the config file olympus-pgbackup.yaml belongs to another user.");
        result.Errors.ShouldContain("chown root");
    }

    [Fact]
    public async Task A_password_file_that_others_may_write_is_an_error_of_the_config()
    {
        string file = folder.Write("password", "secret");
        await RunAsync($"chmod 666 {file}");

        PgBackupException error = Should.Throw<PgBackupException>(() =>
            ConfigReader.ParseForBackup(
                $"cluster: a\nsource: {{ url: \"postgres://r@localhost/\", password_file: {file} }}\ndatabases: [a]\nencryption: "
                    + $"none\nstores: [{{ name: local, path: /b }}]\n",
                "x"
            )
        );

        error.Code.ShouldBe(ErrorCode.ConfigInvalid);
        error.Message.ShouldContain(
            $"line 2: source.password_file: the file {file} may be written by other users (mode 0666). chmod go-w {file}"
        );
    }

    [Fact]
    public async Task A_private_key_that_others_may_write_decrypts_nothing()
    {
        string key = folder.Write("key", "x");
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nmax_age: 5000w\nsource: {{ podman: x }}\ndatabases: [a]\nencryption: none\nstores: [{{ name: local, path: "
                + $"{folder["store"]} }}]\n"
        );
        Manifest manifest = ManifestSample.Of(ManifestSample.Id);
        Directory.CreateDirectory(folder[$"store/{manifest.Id}"]);
        await File.WriteAllBytesAsync(folder[$"store/{manifest.Id}/manifest.json"], manifest.ToJson(), Cancel);
        await RunAsync($"chmod 622 {key}");

        AppResult result = await AppProcess.RunAsync(folder.Path, "check", "--identity", key);

        result.ExitCode.ShouldBe(2);
        result.Errors.ShouldContain($"PGB-0012: the private key {key} may be written by other users");
    }

    [Fact]
    public async Task A_secret_that_everybody_may_read_is_a_note()
    {
        string file = folder.Write("password", "secret");
        await RunAsync($"chmod 644 {file}");
        string text =
            $"cluster: a\nsource: {{ url: \"postgres://r@localhost/\", password_file: {file} }}\ndatabases: [a]\nencryption: "
            + $"none\nstores: [{{ name: local, path: /b }}]\n";

        ConfigReader.ParseForBackup(text, "x").Notices.ShouldBe([$"every user of this host may read {file}; chmod 600 {file}"]);

        await RunAsync($"chmod 600 {file}");
        ConfigReader.ParseForBackup(text, "x").Notices.ShouldBeEmpty();
    }

    private static Task<byte[]> RunAsync(string script) => AllOfAsync(FakeTool.Output(script));
}
