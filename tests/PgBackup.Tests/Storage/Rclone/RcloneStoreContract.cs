using System.Diagnostics;
using System.Security.Cryptography;
using PgBackup.Storage;
using PgBackup.Storage.Rclone;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Tests.Storage.Rclone;

/// <summary>What a store on a remote of rclone promises besides, whatever the remote.</summary>
public abstract partial class RcloneStoreContract : ObjectStoreContract, IDisposable
{
    private const int MiB = 1 << 20;

    /// <summary>The remote as the operator writes it; nothing was ever put there.</summary>
    protected abstract string Remote { get; }

    /// <summary>A remote that cannot be written to.</summary>
    protected abstract string BrokenRemote { get; }

    /// <summary>rclone's config file, or null for a remote that needs none.</summary>
    protected abstract string? ConfigFile { get; }

    /// <summary>A folder for scripts and the like.</summary>
    private protected TestFolder Folder { get; } = new();

    // One for each test: it asks the remote but once what it can do.
    protected override IObjectStore Store => field ??= new RcloneStore("offsite", Remote, ConfigFile, TimeProvider.System);

    protected override IObjectStore BrokenStore => new RcloneStore("broken", BrokenRemote, ConfigFile, TimeProvider.System);

    protected override IReadOnlyList<string> EverythingInside =>
        [
            .. Lines("lsf", "--recursive", "--files-only", Remote)
                .Where(static name => !name.StartsWith(".locks/", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData("one/a:b")]
    [InlineData("one/it's \"quoted\"")]
    [InlineData("one/-dash")]
    [InlineData("one/st*r[1]{x,y}?")]
    [InlineData("one/#hash;semi")]
    [InlineData("one/ spaces ")]
    [InlineData("one/äöü€漢字🐘")]
    [InlineData("-top")]
    public async Task Names_may_have_what_rclone_trips_over(string key)
    {
        await PutAsync(key, "x");
        await PutAsync("one/other", "yy");

        EverythingInside.Order(StringComparer.Ordinal).ShouldBe(new[] { key, "one/other" }.Order(StringComparer.Ordinal));
        (await Store.FindAsync(key, Cancel)).ShouldNotBeNull().Size.ShouldBe(1);
        (await AllOfAsync(await Store.OpenAsync(key, Cancel))).ShouldBe("x"u8.ToArray());
        await Store.DeleteAsync(key, Cancel);
        EverythingInside.ShouldBe(["one/other"]);
    }

    [Fact]
    public async Task A_line_break_in_a_name_is_refused()
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => PutAsync("one/a\nb", "x"));

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        EverythingInside.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(3 * MiB)]
    [InlineData(9 * MiB)]
    public async Task Content_that_fails_leaves_what_was_there(int before)
    {
        await PutAsync("one/a", "before");
        await using var content = new BrokenStream(new byte[before]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => Store.PutAsync("one/a", content, Cancel));

        error.Message.ShouldBe("pg_dump failed with exit code 1");
        content.IsDisposed.ShouldBeFalse();
        EverythingInside.ShouldBe(["one/a"]);
        (await AllOfAsync(await Store.OpenAsync("one/a", Cancel))).ShouldBe("before"u8.ToArray());
    }

    [Fact]
    public async Task An_rclone_that_is_killed_in_the_middle_leaves_nothing()
    {
        string pid = Folder["pid"];
        IObjectStore store = StoreThrough($"case $1 in rcat) echo $$ >'{pid}.new'; mv '{pid}.new' '{pid}' ;; esac; exec rclone \"$@\"");
        await using var content = new Steps(
            20,
            async step =>
            {
                if (step == 12)
                {
                    await FakeToolUntilAsync(() => File.Exists(pid));
                    using Process rclone = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(pid, Cancel)));
                    rclone.Kill();
                    await rclone.WaitForExitAsync(Cancel);
                }
            }
        );

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.PutAsync("one/a", content, Cancel));

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Remedy.ShouldNotBeNull();
        EverythingInside.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_put_that_is_cancelled_in_the_middle_leaves_nothing_and_no_rclone()
    {
        string pid = Folder["pid"];
        IObjectStore store = StoreThrough($"case $1 in rcat) echo $$ >'{pid}' ;; esac; exec rclone \"$@\"");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        await using var content = new Steps(20, step => step == 12 ? stop.CancelAsync() : Task.CompletedTask);

        await Should.ThrowAsync<OperationCanceledException>(() => store.PutAsync("one/a", content, stop.Token));

        EverythingInside.ShouldBeEmpty();
        Tools.FakeTool.IsRunning(await File.ReadAllTextAsync(pid, Cancel)).ShouldBeFalse();
    }

    [Fact]
    public async Task While_an_object_is_written_no_part_of_it_is_listed()
    {
        List<string> seen = [];
        IObjectStore store = Store;
        await using var content = new Steps(
            20,
            async step =>
            {
                if (step is 6 or 19)
                {
                    seen.AddRange(await KeysAsync(store, ""));
                    seen.AddRange(await KeysAsync(store, "one"));
                }
            }
        );
        await PutAsync("one/whole", "x");

        await store.PutAsync("one/a", content, Cancel);

        seen.ShouldBe(["one/whole", "one/whole", "one/whole", "one/whole"]);
        (await KeysAsync(store, "")).ShouldBe(["one/a", "one/whole"]);
        EverythingInside.ShouldBe(["one/a", "one/whole"]);
    }

    [Theory]
    [InlineData("tr x y | rclone \"$@\"", "other bytes")]
    [InlineData("head -c 3 | rclone rcat -- \"$last\"; cat >/dev/null", "3 bytes instead of 8")]
    [InlineData("cat >/dev/null", "nothing")]
    public async Task A_store_that_holds_something_else_than_was_sent_is_found_out(string rcat, string wrong)
    {
        IObjectStore store = StoreThrough($"for last; do :; done; case $1 in rcat) {rcat} ;; *) exec rclone \"$@\" ;; esac");

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            store.PutAsync("one/a", new MemoryStream("xxxxxxxx"u8.ToArray()), Cancel)
        );

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("holds something else than was sent as one/a: " + wrong);
        error.IsTransient.ShouldBeFalse();
        EverythingInside.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("exec rclone \"$@\"", null)]
    [InlineData("tr x y | rclone \"$@\"", "other bytes")]
    public async Task What_a_remote_without_digests_holds_is_read_back(string rcat, string? wrong)
    {
        string log = Folder["log"];
        IObjectStore store = StoreThrough(
            $"echo $1 >>'{log}'; case $1 in backend) rclone \"$@\" | tr -d '\\n\\t' | sed 's/\"Hashes\": *\\[[^]]*\\]/\"Hashes\": "
                + $"[]/' ;; rcat) {rcat} ;; *) exec rclone \"$@\" ;; esac"
        );
        var content = new MemoryStream("xxxxxxxx"u8.ToArray());

        if (wrong is null)
        {
            (await store.PutAsync("one/a", content, Cancel)).ShouldBe(8);
            EverythingInside.ShouldBe(["one/a"]);
        }
        else
        {
            (await Should.ThrowAsync<PgBackupException>(() => store.PutAsync("one/a", content, Cancel))).Message.ShouldContain(wrong);
            EverythingInside.ShouldBeEmpty();
        }

        (await File.ReadAllLinesAsync(log, Cancel)).ShouldContain("cat");
    }

    [Fact]
    public async Task What_fails_for_a_while_is_tried_again()
    {
        string count = Folder["count"];
        IObjectStore store = StoreThrough(
            $"case $1 in backend) ;; *) echo x >>'{count}'; if [ $(wc -l <'{count}') = 1 ]; then echo '2026/03/01 03:00:00 ERROR : "
                + $"dial tcp 127.0.0.1:1: connect: connection refused' >&2; exit 1; fi ;; esac; exec rclone \"$@\""
        );

        await PutAsync("one/a", "x");
        (await store.FindAsync("one/a", Cancel)).ShouldNotBeNull();
        File.Delete(count);
        await store.DeleteAsync("one/a", Cancel);

        EverythingInside.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_small_object_is_sent_again_when_sending_it_fails_for_a_while()
    {
        string count = Folder["count"];
        IObjectStore store = StoreThrough(
            $"case $1 in rcat) echo x >>'{count}'; if [ $(wc -l <'{count}') = 1 ]; then head -c 2 >/dev/null; echo 'Failed to rcat: "
                + $"SlowDown: status code: 503, request id: x' >&2; exit 1; fi ;; esac; exec rclone \"$@\""
        );

        (await store.PutAsync("one/a", new MemoryStream(new byte[3 * MiB]), Cancel)).ShouldBe(3 * MiB);

        EverythingInside.ShouldBe(["one/a"]);
    }

    [Fact]
    public async Task What_goes_on_failing_is_told_without_timestamps_as_something_that_may_pass()
    {
        IObjectStore store = StoreThrough(
            "case $1 in backend) exec rclone \"$@\" ;; *) cat >/dev/null; echo '2026/03/01 03:00:00 ERROR : Attempt 1/1 failed' >&2; "
                + "echo '2026/03/01 03:00:00 Failed to x: i/o timeout' >&2; exit 1 ;; esac"
        );

        foreach (Func<Task> attempt in (Func<Task>[])[() => KeysAsync(store, ""), () => store.FindAsync("one/a", Cancel)])
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(attempt);

            error.Code.ShouldBe(ErrorCode.StoreUnavailable);
            error.IsTransient.ShouldBeTrue();
            error.Message.ShouldBe($"the store fake ({Store.Location}) cannot be used: rclone lsjson failed:\n  Failed to x: i/o timeout");
            error.Remedy.ShouldNotBeNull();
        }
    }

    [Fact]
    public async Task An_object_of_which_less_comes_than_there_is_fails_at_its_end()
    {
        await Store.PutAsync("one/a", new MemoryStream(new byte[300_000]), Cancel);
        IObjectStore store = StoreThrough("case $1 in cat) rclone \"$@\" | head -c 200000 ;; *) exec rclone \"$@\" ;; esac");

        await using Stream stream = await store.OpenAsync("one/a", Cancel);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => stream.CopyToAsync(Stream.Null, Cancel));
        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("200000 of the 300000 bytes of one/a");
    }

    [Fact]
    public async Task An_object_that_vanishes_while_it_is_opened_is_missing()
    {
        await PutAsync("one/a", "x");
        IObjectStore store = StoreThrough(
            "for last; do :; done; case $1 in cat) rclone deletefile -- \"$last\" ;; *) exec rclone \"$@\" ;; esac"
        );

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.OpenAsync("one/a", Cancel));

        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
    }

    [Theory]
    [InlineData("404 Not Found", false)]
    [InlineData("directory not found", false)]
    [InlineData("423 Locked", true)]
    public async Task A_folder_that_cannot_be_deleted_is_an_error_only_while_something_is_in_it(string words, bool isThere)
    {
        await PutAsync(isThere ? "one/a" : "two/a", "x");
        IObjectStore store = StoreThrough(
            $"case $1 in purge) echo 'Failed to purge: {words}' >&2; exit 1 ;; *) exec rclone \"$@\" ;; esac"
        );

        PgBackupException? error = await Record.ExceptionAsync(() => store.DeleteFolderAsync("one", Cancel)) as PgBackupException;

        error?.Code.ShouldBe(ErrorCode.StoreUnavailable);
        (error is not null).ShouldBe(isThere);
    }

    [Fact]
    public async Task A_list_that_breaks_off_is_no_list()
    {
        IObjectStore store = StoreThrough(
            "case $1 in lsjson) printf '[\\n{\"Path\":\"a\",\"Size\":1,\"ModTime\":\"2026-03-01T03:00:00Z\"}' ;; *) exec rclone "
                + "\"$@\" ;; esac"
        );

        (await Should.ThrowAsync<PgBackupException>(() => KeysAsync(store, ""))).Code.ShouldBe(ErrorCode.StoreUnavailable);
    }

    [Fact]
    public async Task A_remote_that_is_not_configured_is_said_so_with_what_to_do()
    {
        var store = new RcloneStore("offsite", "no-such-remote:backups", ConfigFile, TimeProvider.System);
        foreach (
            Func<Task> attempt in (Func<Task>[])
                [
                    () => store.CheckWritableAsync(Cancel),
                    () => KeysAsync(store, ""),
                    () => KeysAsync(store, "one"),
                    () => store.FindAsync("one/a", Cancel),
                    () => store.OpenAsync("one/a", Cancel),
                    () => store.DeleteAsync("one/a", Cancel),
                    () => store.DeleteFolderAsync("one", Cancel),
                    () => store.SweepAsync(DateTimeOffset.UnixEpoch, Cancel),
                    () => store.LockAsync("me", Cancel),
                ]
        )
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(attempt);
            error.Code.ShouldBe(ErrorCode.StoreUnavailable);
            error.IsTransient.ShouldBeFalse();
            error.Remedy.ShouldNotBeNull().ShouldContain("listremotes");
        }
    }

    [Fact]
    public async Task Without_rclone_it_is_said_how_to_install_it()
    {
        var store = new RcloneStore("offsite", Remote, ConfigFile, TimeProvider.System, "rclone-that-nobody-installed");

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.CheckWritableAsync(Cancel));

        error.Code.ShouldBe(ErrorCode.ToolMissing);
        error.Remedy.ShouldNotBeNull().ShouldContain("apt-get install rclone");
    }

    protected virtual void Dispose(bool disposing) => Folder.Dispose();

    /// <summary>The store through a script that stands in rclone's place.</summary>
    private protected IObjectStore StoreThrough(string script, TimeProvider? clock = null)
    {
        string program = Folder.Write("fake-rclone", $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return new RcloneStore("fake", Remote, ConfigFile, clock ?? TimeProvider.System, program);
    }

    private protected static async Task<List<string>> KeysAsync(IObjectStore store, string folder)
    {
        List<string> keys = [];
        await foreach (StoredObject one in store.ListAsync(folder, Cancel))
        {
            keys.Add(one.Key);
        }

        keys.Sort(StringComparer.Ordinal);
        return keys;
    }

    private RcloneStore StoreAt(TimeProvider clock) => new("offsite", Remote, ConfigFile, clock);

    private string[] Locks() =>
        [
            .. Lines("lsf", "--recursive", "--files-only", Remote)
                .Where(static n => n.StartsWith(".locks/", StringComparison.Ordinal))
                .Select(static n => n[7..]),
        ];

    // Empty, too, while there is no such folder.
    private string[] Lines(params string[] arguments)
    {
        var command = new ToolCommand("rclone", arguments)
        {
            Environment = ConfigFile is null
                ? new Dictionary<string, string?>()
                : new Dictionary<string, string?> { ["RCLONE_CONFIG"] = ConfigFile, ["AWS_CA_BUNDLE"] = null },
        };
        ToolResult result = Task.Run(() => ToolProcess.TryReadAsync(command, Cancel)).GetAwaiter().GetResult();
        return result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static Task FakeToolUntilAsync(Func<bool> isSo) => Tools.FakeTool.UntilAsync(isSo);

    // So many mebibytes, with something done before each.
    private sealed class Steps(int count, Func<int, Task> before) : ForwardStream
    {
        private readonly byte[] block = RandomNumberGenerator.GetBytes(MiB);
        private int step;
        private int given = MiB;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (given == MiB)
            {
                if (step == count)
                {
                    return 0;
                }

                await before(step++);
                cancellationToken.ThrowIfCancellationRequested();
                given = 0;
            }

            int size = Math.Min(buffer.Length, MiB - given);
            block.AsMemory(given, size).CopyTo(buffer);
            given += size;
            return size;
        }

        protected override ValueTask DisposeOnceAsync() => ValueTask.CompletedTask;
    }
}
