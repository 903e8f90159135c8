using System.Text.Json.Nodes;
using PgBackup.Encryption;
using PgBackup.Storage.Local;
using PgBackup.Tests.Encryption;
using PgBackup.Tests.Operations;
using PgBackup.Tests.Tools;
using PgBackup.Tools;

namespace PgBackup.Tests.App;

/// <summary>keys, on a store whose snapshot is encrypted to a key with a passphrase.</summary>
public sealed class KeysVerbTests : IAsyncLifetime
{
    private readonly TestFolder folder = new();
    private string fingerprint = "";

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(folder["home"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nmax_age: 5000w\nencryption: {{ gpg: {{ recipients: [locked@example.com], home: {folder["home"]} }} }}\nstores: [{{ "
                + $"name: local, path: {folder["store"]} }}]\n"
        );
        // Who asks for the passphrase: nobody, until there is a file with it.
        folder.Write("home/gpg-agent.conf", $"pinentry-program {folder["pinentry"]}\n");
        folder.Write(
            "pinentry",
            $$"""
            #!/bin/sh
            echo OK
            while read -r verb rest; do
              case "$verb" in
              OPTION) echo "$rest" >>{{folder["asked"]}} ;;
              GETINFO) [ "$rest" = pid ] && echo "D $$" ;;
              GETPIN) while [ -e {{folder["hold"]}} ]; do : >{{folder["held"]}}; sleep 0.05; done
                [ -e {{folder["answer"]}} ] && echo "D $(cat {{folder[
                "answer"
            ]}})" || { echo "ERR 83886179 Operation cancelled <Pinentry>"; continue; } ;;
              BYE) echo OK; exit ;;
              esac
              echo OK
            done
            """
        );
        File.SetUnixFileMode(folder["pinentry"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        await GpgKeys.GpgAsync(
            folder["home"],
            [
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "open sesame",
                "--quick-generate-key",
                "locked@example.com",
                "future-default",
                "default",
                "1m",
            ]
        );
        await ToolProcess.ReadAsync(new ToolCommand("gpgconf", "--homedir", folder["home"], "--kill", "all"), Cancel); // which knows the passphrase
        await using var cipher = new GpgCipher(["locked@example.com"], folder["home"], null, TimeProvider.System);
        SnapshotSample sample = await SnapshotSample.Of(SnapshotSample.Day(1)).EncryptedAsync(cipher);
        await sample.PutAsync(new LocalStore("local", folder["store"]));
        fingerprint = sample.Manifest.Recipients.Single().Fingerprint;
    }

    public async ValueTask DisposeAsync()
    {
        await ToolProcess.TryReadAsync(new ToolCommand("gpgconf", "--homedir", folder["home"], "--kill", "all"), CancellationToken.None);
        folder.Dispose();
    }

    [Fact]
    public async Task A_passphrase_is_asked_for_by_the_agent_at_the_terminal_of_the_program_and_told_when_it_is_missing()
    {
        AppResult without = await AppProcess.RunAsync(folder.Path, "keys", "test");
        without.ExitCode.ShouldBe(1);
        without.Errors.ShouldStartWith(
            $"olympus-pgbackup: PGB-0051: the passphrase of the secret key {fingerprint} in its keyring is missing or wrong; "
        );

        File.Delete(folder["asked"]);
        folder.Write("answer", "open sesame");
        string atTerminal = await ToolProcess.ReadAsync(
            new ToolCommand(
                "sh",
                "-c",
                "cd \"$1\" && exec script --quiet --return --command \"tty >tty; exec dotnet $2 keys test\" /dev/null",
                "sh",
                folder.Path,
                Path.Combine(AppContext.BaseDirectory, "olympus-pgbackup.dll")
            )
            {
                Environment = new Dictionary<string, string?> { ["OLYMPUS_PGBACKUP_CONFIG"] = null, ["GPG_TTY"] = null },
            },
            Cancel
        );

        atTerminal.ShouldContain($"tested: the private key of {fingerprint} (locked@example.com), recorded in local");
        File.ReadAllText(folder["asked"]).ShouldContain($"ttyname={File.ReadAllText(folder["tty"]).Trim()}\n");
        // The agent remembers it.
        File.Delete(folder["answer"]);
        (await AppProcess.RunAsync(folder.Path, "keys", "test")).ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task An_interrupt_while_the_passphrase_is_asked_for_ends_the_asking_too()
    {
        folder.Write("hold", "");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        await using var cipher = new GpgCipher(["locked@example.com"], folder["home"], null, TimeProvider.System);
        string part = Directory.GetFiles(folder["store/20260301T030000Z"], "*globals*").Single();
        Task decrypting = Task.Run(
            async () =>
            {
                await using Stream plain = cipher.Decrypt(File.OpenRead(part), stop.Token);
                await plain.CopyToAsync(Stream.Null, stop.Token);
            },
            Cancel
        );
        await FakeTool.UntilAsync(() => File.Exists(folder["held"]));

        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => decrypting);
        string asking = (await ToolProcess.TryReadAsync(new ToolCommand("pgrep", "-f", folder["pinentry"]), Cancel)).Output;
        asking.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(FakeTool.IsRunning).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_passphrase_from_a_file_needs_no_terminal_and_what_there_is_to_worry_about_is_listed_in_show_and_check_too()
    {
        folder.Write("passphrase", "open sesame\n");

        AppResult tested = await AppProcess.RunAsync(folder.Path, "keys", "test", "--passphrase-file", folder["passphrase"], "--json");
        string[] listed = (await AppProcess.RunAsync(folder.Path, "keys")).Output.Split('\n');

        tested.ExitCode.ShouldBe(0, tested.ToString());
        JsonNode report = JsonNode.Parse(tested.Output)!;
        ((string?)report["tests"]![0]!["fingerprint"], (bool?)report["canary"], (string?)report["recorded_in"]![0]).ShouldBe(
            (fingerprint, false, "local")
        );
        listed[0].ShouldMatch("^KEY +NAME +EXPIRES +LAST TESTED +BY +DECRYPTS$");
        listed[1].ShouldStartWith($"{fingerprint}  locked@example.com  20");
        listed[1].ShouldEndWith($"  keys test on {Environment.MachineName}  20260301T030000Z and the next one");
        listed[2].ShouldStartWith("WARNING: PGB-0130: encrypted to one key alone, that of locked@example.com: ");
        listed[3].ShouldStartWith($"WARNING: PGB-0131: the key {fingerprint} (locked@example.com) expires on ");
        listed.Length.ShouldBe(5);
        foreach (string verb in (string[])["show", "check"])
        {
            string output = (await AppProcess.RunAsync(folder.Path, verb)).Output;
            output.ShouldContain("WARNING: PGB-0130: encrypted to one key alone");
            output.ShouldContain($"WARNING: PGB-0131: the key {fingerprint} (locked@example.com) expires on ");
        }
    }
}
