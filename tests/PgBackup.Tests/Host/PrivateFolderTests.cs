using System.Globalization;
using PgBackup.Host;
using PgBackup.Tests.Tools;

namespace PgBackup.Tests.Host;

/// <summary>Everybody may make names in /tmp and /dev/shm: nobody makes this program remove, or use, what is not its own.</summary>
public sealed class PrivateFolderTests : IDisposable
{
    private const int NoProcess = 4194303;
    private const string Name = "olympus-pgbackup-4194303-0123456789";

    private readonly TestFolder folder = new();
    private readonly DateTimeOffset now = DateTimeOffset.UtcNow;

    public void Dispose() => folder.Dispose();

    [Fact]
    public void What_a_killed_process_left_is_removed_and_links_in_it_lead_nowhere()
    {
        Directory.CreateDirectory(folder["elsewhere"]);
        folder.Write("elsewhere/file", "not ours");
        Leave(Name, GoneMark);
        Directory.CreateDirectory(folder[$"{Name}/deep"]);
        Directory.CreateSymbolicLink(folder[$"{Name}/deep/link"], folder["elsewhere"]);

        PrivateFolder.Sweep(folder.Path, now);

        Directory.Exists(folder[Name]).ShouldBeFalse();
        File.Exists(folder["elsewhere/file"]).ShouldBeTrue();
    }

    [Fact]
    public void A_folder_of_before_the_last_start_of_this_system_is_removed()
    {
        Leave(Name, "0c7bc2a5-0000-0000-0000-000000000000/pid:[1]/4194303/1");

        PrivateFolder.Sweep(folder.Path, now);

        Directory.Exists(folder[Name]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_folder_of_another_user_is_never_swept()
    {
        Leave(Name, GoneMark);
        await RunAsync($"chown nobody {folder[Name]}");

        PrivateFolder.Sweep(folder.Path, now.AddDays(30));

        Directory.Exists(folder[Name]).ShouldBeTrue();
    }

    [Fact]
    public void A_folder_that_others_may_write_into_is_never_swept()
    {
        Leave(Name, GoneMark);
        File.SetUnixFileMode(folder[Name], (UnixFileMode)0x1FF);

        PrivateFolder.Sweep(folder.Path, now.AddDays(30));

        Directory.Exists(folder[Name]).ShouldBeTrue();
    }

    [Fact]
    public void A_link_with_such_a_name_is_never_swept()
    {
        Leave("elsewhere", GoneMark);
        Directory.CreateSymbolicLink(folder[Name], folder["elsewhere"]);

        PrivateFolder.Sweep(folder.Path, now.AddDays(30));

        Directory.Exists(folder["elsewhere"]).ShouldBeTrue();
        new DirectoryInfo(folder[Name]).LinkTarget.ShouldNotBeNull();
    }

    [Fact]
    public void The_folder_of_a_living_process_stays_even_where_its_number_is_not_known_here()
    {
        using PrivateFolder own = PrivateFolder.Make(folder.Path)!;
        Leave(Name, ProcessMark.Own!); // as in another namespace of process ids: the mark is right, the number in the name is not
        Leave("olympus-pgbackup-4194302-0123456789", ""); // it has not written its mark yet

        PrivateFolder.Sweep(folder.Path, now);

        Directory.GetDirectories(folder.Path).Length.ShouldBe(3);
    }

    [Fact]
    public async Task Of_another_namespace_of_process_ids_the_folder_of_a_living_process_stays_however_old_it_is()
    {
        const string Killed = "olympus-pgbackup-4194302-0123456789";
        string mark = $"{ProcessMark.Own!.Split('/')[0]}/pid:[1]/1/1"; // of this start of the system, and unknown here
        using PrivateFolder living = PrivateFolder.Make(folder.Path)!;
        Directory.Move(living.Path, folder[Name]);
        await RunAsync($"printf %s '{mark}' >{folder[Name]}/.owner");
        Leave(Killed, mark);

        PrivateFolder.Sweep(folder.Path, now.AddDays(3));

        Directory.Exists(folder[Name]).ShouldBeTrue();
        Directory.Exists(folder[Killed]).ShouldBeFalse();
    }

    [Fact]
    public void One_without_a_mark_goes_when_it_is_older_than_any_run()
    {
        Leave(Name, "");

        PrivateFolder.Sweep(folder.Path, now.AddDays(3));

        Directory.Exists(folder[Name]).ShouldBeFalse();
    }

    [Fact]
    public void A_new_one_is_for_its_owner_alone_and_gone_when_it_is_disposed()
    {
        string path;
        using (PrivateFolder made = PrivateFolder.Make(folder.Path)!)
        {
            path = made.Path;
            File.GetUnixFileMode(path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.WriteAllText(Path.Combine(path, "key"), "secret");
        }

        Directory.Exists(path).ShouldBeFalse();
    }

    [Fact]
    public async Task None_is_made_where_others_could_exchange_it()
    {
        File.SetUnixFileMode(folder.Path, (UnixFileMode)0x1FF);
        PrivateFolder.Make(folder.Path).ShouldBeNull();

        await RunAsync($"chmod 1777 {folder.Path}");
        using (PrivateFolder? sticky = PrivateFolder.Make(folder.Path))
        {
            sticky.ShouldNotBeNull();
        }

        await RunAsync($"chmod 700 {folder.Path}; chown nobody {folder.Path}");
        PrivateFolder.Make(folder.Path).ShouldBeNull();
    }

    [Fact]
    public void Where_none_can_be_made_the_place_is_not_said_to_be_unsafe()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => PrivateFolder.CreateIn(["/proc", folder["nothing"]]));

        error.Code.ShouldBe(ErrorCode.NoPrivateFolder);
        error.Message.ShouldStartWith("no private folder can be made: /proc/olympus-pgbackup-");
        error.Message.ShouldContain($"; {folder["nothing"]}: No such file or directory.");
        error.Remedy.ShouldNotBeNull().ShouldContain("TMPDIR");

        File.SetUnixFileMode(folder.Path, (UnixFileMode)0x1FF);
        Should.Throw<PgBackupException>(() => PrivateFolder.CreateIn(["/proc", folder.Path])).Code.ShouldBe(ErrorCode.UntrustedFile);
    }

    private static string GoneMark
    {
        get
        {
            string[] own = ProcessMark.Own!.Split('/');
            return string.Create(CultureInfo.InvariantCulture, $"{own[0]}/{own[1]}/{NoProcess}/1");
        }
    }

    private static Task<byte[]> RunAsync(string script) => AllOfAsync(FakeTool.Output(script));

    private void Leave(string name, string mark)
    {
        Directory.CreateDirectory(folder[name], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        folder.Write($"{name}/.owner", mark);
    }
}
