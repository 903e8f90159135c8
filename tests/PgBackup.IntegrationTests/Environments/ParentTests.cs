namespace PgBackup.IntegrationTests.Environments;

/// <summary>What the parent of the program closed, filled, ignored or blocked.</summary>
[Collection("bad days")]
public sealed class ParentTests(BadDaysCluster cluster)
{
    [Theory]
    [InlineData("<&-")]
    [InlineData(">&-")]
    [InlineData("2>&-")]
    [InlineData("<&- >&- 2>&-")]
    [InlineData(">/dev/full")]
    [InlineData("2>/dev/full")]
    [InlineData(">/dev/full 2>&1")]
    public async Task A_snapshot_is_taken_and_the_exit_code_is_0_wherever_the_output_goes(string redirection)
    {
        using Workspace night = cluster.Plain("tiny");

        Outcome run = await UnderAsync($"exec \"$@\" {redirection}", night, "run");

        run.ExitCode.ShouldBe(0, run.ToString());
        run.All.ShouldNotContain("olympus-pgbackup: PGB-");
        night.Manifest(Path.GetFileName(Directory.GetDirectories(night.Store, "2*").Single())).Databases.Single().Database.ShouldBe("tiny");
        await night.RunAsync(0, "check", "--all", "--read-data");
    }

    [Fact]
    public async Task A_verb_that_only_tells_fails_when_nobody_can_be_told_and_not_when_the_reader_has_enough()
    {
        using Workspace night = cluster.Gpg("tiny");
        await night.BackupAsync();
        foreach (
            string verb in (string[])
                [
                    "list",
                    "list --json",
                    "show",
                    "check --json",
                    "keys",
                    "doctor --only keys",
                    "prune --dry-run",
                    "drill --list --json",
                    "log",
                    "completion bash",
                    "--help",
                ]
        )
        {
            Outcome full = await UnderAsync("exec \"$@\" >/dev/full", night, verb.Split(' '));
            full.ExitCode.ShouldBe(1, $"{verb}: {full}");
            full.Errors.ShouldContain("PGB-0052", customMessage: verb);
            full.Errors.ShouldContain("No space left on device", customMessage: verb);
        }

        Outcome enough = await UnderAsync("{ \"$@\"; echo \"exit code $?\" >&2; } | true", night, "list");
        enough.Errors.Trim().ShouldBe("exit code 0");
        Outcome check = await UnderAsync("exec \"$@\" >/dev/full", night, "check");
        check.ExitCode.ShouldBe(0, check.ToString());
        check.Errors.ShouldContain("note: the result could not be written to stdout: No space left on device.");
    }

    [Theory]
    [InlineData("--ignore-signal=CHLD")]
    [InlineData("--block-signal=CHLD")]
    [InlineData("--block-signal")]
    public async Task Signals_that_the_parent_ignores_or_blocks_hinder_neither_the_run_nor_its_end(string option)
    {
        using Workspace night = cluster.Gpg("tiny");
        Outcome run = await UnderAsync($"exec env {option} \"$@\"", night, "run");
        run.ExitCode.ShouldBe(0, run.ToString());

        using var hold = new Hold(night);
        await using RunningProgram second = Start($"exec env {option} \"$@\"", night, "run");
        await hold.EnteredAsync(1);
        await second.SignalAsync("TERM");
        Outcome outcome = await second.EndAsync();
        outcome.ExitCode.ShouldBe(1, outcome.ToString());
        outcome.Errors.ShouldContain("PGB-0003");
        await cluster.Server.ShouldBeCleanAsync();
    }

    [Fact]
    public async Task A_killed_program_leaves_no_pipe_and_no_socket_of_the_runtime()
    {
        using Workspace night = cluster.Gpg("tiny");
        using var hold = new Hold(night);
        await using RunningProgram run = night.Start();
        await hold.EnteredAsync(1);
        await run.SignalAsync("KILL");
        await run.EndAsync();

        Directory.GetFileSystemEntries(Path.GetTempPath(), $"*-{run.Id}-*").ShouldBeEmpty();
    }

    [Theory]
    [InlineData("ro", "")]
    [InlineData("size=64k", "head --bytes=60K /dev/zero >/dev/shm/full;")]
    public async Task A_memory_that_takes_no_files_leaves_the_temporary_folder(string options, string before)
    {
        using Workspace night = cluster.Gpg("tiny");
        await night.BackupAsync();
        string temporary = Directory.CreateDirectory(Path.Combine(night.Folder, "tmp")).FullName;
        night.SetEnvironment("TMPDIR", temporary);

        Outcome test = await UnderAsync(
            $"exec unshare --mount --propagation private sh -c 'mount -t tmpfs -o {options} none /dev/shm && {before} exec "
                + $"\"$@\"' sh \"$@\"",
            night,
            "keys",
            "test",
            "-i",
            cluster.Keys.OpsSecret
        );

        test.ExitCode.ShouldBe(0, test.ToString());
        test.Output.ShouldContain("decrypted");
        Directory.GetFileSystemEntries(temporary).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_file_that_may_not_grow_fails_the_run_in_words_and_ends_no_program()
    {
        using Workspace night = cluster.Plain("big");

        Outcome run = await UnderAsync("ulimit -f 4096; exec \"$@\"", night, "run"); // 2 MiB; the dump has more

        run.ExitCode.ShouldBe(1, run.ToString());
        run.Errors.ShouldContain("File too large");
        run.Errors.ShouldContain("Raise `ulimit -f` where it is started");
        Directory.GetDirectories(night.Store, "2*").ShouldBeEmpty();
        await night.BackupAsync();
    }

    [Theory]
    [InlineData("-n", 48, 1)]
    [InlineData("-n", 255, 1)]
    [InlineData("-S -n", 256, 0)] // the hard limit stays: an engine cannot enter a container that was given a higher one
    public async Task Too_few_open_files_are_refused_before_anything_begins(string option, int files, int exitCode)
    {
        using Workspace night = cluster.Gpg("big", "small", "tiny");

        Outcome run = await UnderAsync($"ulimit {option} {files}; exec \"$@\"", night, "run");
        Outcome help = await UnderAsync($"ulimit {option} {files}; exec \"$@\"", night, "--help");

        help.ExitCode.ShouldBe(0, help.ToString());
        run.ExitCode.ShouldBe(exitCode, run.ToString());
        if (exitCode != 0)
        {
            run.Errors.ShouldContain(
                $"PGB-0014: this process may open {files} files, pipes and connections at the same time (ulimit -n); it needs at least 256."
            );
            Directory.Exists(night.Store).ShouldBeFalse("nothing was begun");
        }
    }

    [Theory]
    [InlineData("-v 600000", "PGB-0015: this process may have 585 MiB of address space (ulimit -v); it needs at least 4096")]
    [InlineData("-v 4194304", null)]
    [InlineData("-f 0", "PGB-0015: this process may write files of at most 0 bytes (ulimit -f)")]
    [InlineData("-f 2048", null)] // 1 MiB, in blocks of 512 bytes
    public async Task Too_little_address_space_and_files_that_may_not_grow_are_refused_before_anything_begins(string limit, string? refused)
    {
        using Workspace night = cluster.Gpg("tiny");

        Outcome run = await UnderAsync($"ulimit {limit}; exec \"$@\"", night, "run");
        Outcome help = await UnderAsync($"ulimit {limit}; exec \"$@\"", night, "--help");

        help.ExitCode.ShouldBe(0, help.ToString());
        run.ExitCode.ShouldBe(refused is null ? 0 : 1, run.ToString());
        if (refused is not null)
        {
            run.Errors.ShouldContain(refused);
            Directory.Exists(night.Store).ShouldBeFalse("nothing was begun");
        }
    }

    // A shell of its own as the parent: `$@` is the program with its arguments.
    private static RunningProgram Start(string script, Workspace night, params string[] arguments) =>
        new(
            "sh",
            ["-c", script, "sh", Surroundings.Binary, "--config", night.ConfigFile, .. arguments],
            night.Variables,
            night.Folder,
            null
        );

    private static async Task<Outcome> UnderAsync(string script, Workspace night, params string[] arguments)
    {
        await using RunningProgram program = Start(script, night, arguments);
        return await program.EndAsync();
    }
}
