using PgBackup.Configuration;
using PgBackup.Serve;

namespace PgBackup.Tests.Serve;

/// <summary>The config in use while its file is changed.</summary>
public sealed class ServedConfigTests : IDisposable
{
    private const string Good = "cluster: olympus\nstores: [{ name: local, path: /backups }]\nschedule: { drill: \"0 3 * * *\" }\n";

    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Jobs_get_the_file_itself_while_it_is_right()
    {
        ServedConfig served = Open(Good);

        served.HasChanged.ShouldBeFalse();
        served.FileForJobs().ShouldBe(folder["c.yaml"]);
        Directory.Exists(folder["state"]).ShouldBeFalse();
    }

    [Fact]
    public void While_the_file_is_wrong_jobs_get_a_copy_of_what_was_right()
    {
        ServedConfig served = Open(Good);
        folder.Write("c.yaml", Good + "nonsense: 1\n");

        served.HasChanged.ShouldBeTrue();
        served.TryReload(static _ => { }, Cancel).ShouldBeFalse();

        served.Problem.ShouldNotBeNull().Message.ShouldContain("nonsense");
        served.HasChanged.ShouldBeFalse("it is not read again before it changes");
        string copy = served.FileForJobs();
        copy.ShouldBe(folder["state/serve-olympus.yaml"]);
        File.ReadAllText(copy).ShouldBe(Good);
        File.GetUnixFileMode(copy).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        served.FileForJobs().ShouldBe(copy, "a second job gets it too");

        folder.Write("c.yaml", Good + "max_age: 3d\n");
        served.TryReload(static _ => { }, Cancel).ShouldBeTrue();
        served.FileForJobs().ShouldBe(folder["c.yaml"]);
        served.Config.MaxAge.ShouldBe(TimeSpan.FromDays(3));
    }

    [Fact]
    public void What_the_service_cannot_accept_is_a_wrong_config_too_and_a_file_that_is_gone_changes_nothing()
    {
        ServedConfig served = Open(Good);
        folder.Write("c.yaml", Good + "max_age: 3d\n");

        served.TryReload(static _ => throw new PgBackupException(ErrorCode.ConfigInvalid, "no", "no"), Cancel).ShouldBeFalse();
        served.Config.MaxAge.ShouldBe(BackupConfig.DefaultMaxAge);

        File.Delete(folder["c.yaml"]);
        served.HasChanged.ShouldBeTrue();
        served.TryReload(static _ => { }, Cancel).ShouldBeFalse();
        served.Problem.ShouldNotBeNull().Message.ShouldContain("cannot be read");
        served.HasChanged.ShouldBeFalse("it is told once");
        File.ReadAllText(served.FileForJobs()).ShouldBe(Good);
    }

    private ServedConfig Open(string text) => ServedConfig.Open(folder.Write("c.yaml", text), folder["state"], Cancel);
}
