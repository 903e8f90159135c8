using System.CommandLine;
using System.Globalization;
using PgBackup.App.Render;
using PgBackup.App.Restore;
using PgBackup.App.Verbs;
using PgBackup.Configuration;
using PgBackup.Installations;
using PgBackup.Operations.Restore;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Tools;

namespace PgBackup.App.Demo;

/// <summary><c>demo</c>: the whole cycle with sample data, on two scratch servers that are gone afterwards.</summary>
internal static class DemoVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(TimeProvider clock)
    {
        var image = new Option<string>("--image")
        {
            Description = "The image of the scratch servers",
            HelpName = "IMAGE",
            DefaultValueFactory = static _ => "docker.io/library/postgres:17",
        };
        var people = new Option<int>("--identities")
        {
            Description = "How many people to make up",
            HelpName = "N",
            DefaultValueFactory = static _ => 2000,
        };
        var command = new VerbCommand("demo", "Shows the whole cycle with made-up data: back up, list, check, restore elsewhere, prove")
        {
            Examples = """
                olympus-pgbackup demo
                olympus-pgbackup demo --identities 50000
                """,
            ExitCodes = """
                0  everything worked, and the restored databases equal the originals
                1  something failed
                2  wrong usage
                """,
        };
        command.Add(image);
        command.Add(people);
        command.SetAction((parsed, cancel) => RunAsync(parsed.GetValue(image)!, parsed.GetValue(people), clock, cancel));
        return command;
    }

    private static async Task<int> RunAsync(string image, int people, TimeProvider clock, CancellationToken cancel)
    {
        // Named like a private folder: what a killed demo left is swept as those are.
        string folder = Directory.CreateTempSubdirectory($"olympus-pgbackup-{Environment.ProcessId}-").FullName;
        try
        {
            return await CycleAsync(image, people, folder, clock, cancel);
        }
        finally
        {
            await EndAgentAsync(Path.Combine(folder, "keys"));
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<int> CycleAsync(string image, int people, string folder, TimeProvider clock, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        Heading("A scratch Postgres with the five databases of Olympus");
        await using ScratchServer original = await StartAsync(image, clock, cancel);
        await FillAsync(original, people, clock, cancel);
        Terminal.Line($"{original.Description}: {people} people, made up.");

        Heading("Two throw-away gpg keys, and a config");
        await MakeKeyAsync(Path.Combine(folder, "keys"), "Olympus demo <demo@example.com>", cancel);
        await MakeKeyAsync(Path.Combine(folder, "keys"), "Escrow of the demo <escrow@example.com>", cancel);
        string configFile = await WriteConfigAsync(original, folder, "demo@example.com, escrow@example.com", cancel);
        Terminal.Line(await File.ReadAllTextAsync(configFile, cancel));

        var installation = new Installation(ConfigReader.ReadForBackup(configFile, cancel), clock);
        IObjectStore store = installation.Store().Store;

        int exitCode = await RunVerbsAsync(configFile, clock, cancel);
        if (exitCode != 0)
        {
            return exitCode;
        }

        Heading("A second scratch Postgres, and the restore into it: olympus-pgbackup restore latest --globals --target ...");
        await using ScratchServer second = await StartAsync(image, clock, cancel);
        var target = second.Container is null
            ? new RestoreTarget { Connection = second.Server.Connection }
            : RestoreTarget.Parse($"{second.Tools.Container!.EngineProgram}:{second.Container}");
        RestoreReport report = await new RestoreFlow(installation, store, identity: null).RunAsync(
            new RestoreRequest { Snapshot = SnapshotRef.Latest, Globals = true },
            target,
            confirm: null,
            cancel
        );
        RestoreText.Show(report);

        (SnapshotId id, Manifest manifest) = await installation.CatalogOf(store).LatestAsync(cancel);
        Heading("Done");
        Terminal.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"backup {Terminal.Span((manifest.Finished - manifest.Started).TotalSeconds)}, restore and proof "
                    + $"{Terminal.Span(report.TotalSeconds)}, all in all "
                    + $"{Terminal.Span(clock.GetElapsedTime(start).TotalSeconds)}; both servers, the keys and {id} "
                    + $"are removed again."
            )
        );
        Terminal.Line(
            """

            For your own cluster:
              olympus-pgbackup init                 writes a commented config: name your container or URL, recipients, folder
              olympus-pgbackup                      takes the first snapshot; put it into cron for 03:00
              olympus-pgbackup restore latest --globals --target podman:SOME-OTHER-POSTGRES    proves that it comes back
            """
        );
        return report.Succeeded ? 0 : 1;
    }

    // As a person types them, until one fails.
    private static async Task<int> RunVerbsAsync(string configFile, TimeProvider clock, CancellationToken cancel)
    {
        (string Heading, string[] Verb)[] steps =
        [
            ("The nightly job: olympus-pgbackup", []),
            ("What is there: olympus-pgbackup list", ["list"]),
            ("Is it whole: olympus-pgbackup check latest --read-data", ["check", "latest", "--read-data"]),
            ("Is the private key there: olympus-pgbackup keys test", ["keys", "test"]),
        ];
        foreach ((string heading, string[] verb) in steps)
        {
            cancel.ThrowIfCancellationRequested();
            Heading(heading);
            int exitCode = await CommandLine.RunAsync(["--config", configFile, .. verb], clock);
            if (exitCode != 0)
            {
                return exitCode;
            }
        }

        return 0;
    }

    private static void Heading(string text) => Terminal.Line($"\n== {text}");

    private static async Task<ScratchServer> StartAsync(string image, TimeProvider clock, CancellationToken cancel)
    {
        if (await ContainerEngine.FindAsync(clock, cancel) is { } engine)
        {
            ScratchServer started = await ScratchServer.InContainerAsync(engine, image, locks: 0, keep: false, cancel);
            try
            {
                await started.Ready;
                return started;
            }
            catch
            {
                await started.DisposeAsync();
                throw;
            }
        }

        return await ScratchServer.OnHostAsync(locks: 0, clock, cancel);
    }

    private static async Task FillAsync(ScratchServer server, int people, TimeProvider clock, CancellationToken cancel)
    {
        await using Stream script = typeof(DemoVerb).Assembly.GetManifestResourceStream("olympus-fixture.sh")!;
        await using StagedFile file = await server.Tools.Tools.Host.StageAsync(script, script.Length, inMemoryOnly: false, cancel);
        string path = server.Tools.Tools.Host is HostTools { Folder: { } folder }
            ? $"{folder}:{Environment.GetEnvironmentVariable("PATH")}"
            : "";
        PostgresServer postgres =
            path.Length == 0
                ? server.Server
                : new PostgresServer(
                    server.Server.Tools with
                    {
                        Host = new HostTools(null, clock),
                    },
                    server.Server.Connection.With("PATH", path),
                    "olympus-pgbackup demo",
                    clock
                );
        await using ToolProcess fill = await postgres.StartAsync(
            "bash",
            [file.Path, "--identities", people.ToString(CultureInfo.InvariantCulture)],
            "postgres",
            cancel,
            "the sample data"
        );
        await fill.FinishAsync(null, cancel);
        await fill.WaitForSuccessAsync(cancel);
    }

    private static async Task MakeKeyAsync(string home, string name, CancellationToken cancel)
    {
        Directory.CreateDirectory(home, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await ToolProcess.ReadAsync(
            new ToolCommand(
                "gpg",
                "--homedir",
                home,
                "--batch",
                "--no-tty",
                "--quiet",
                "--passphrase",
                "",
                "--quick-generate-key",
                name,
                "future-default",
                "default",
                "1y"
            ),
            cancel
        );
    }

    private static async Task EndAgentAsync(string home) =>
        await ToolProcess.TryReadAsync(new ToolCommand("gpgconf", "--homedir", home, "--kill", "all"), CancellationToken.None);

    private static async Task<string> WriteConfigAsync(ScratchServer server, string folder, string recipients, CancellationToken cancel)
    {
        string source = server.Container is { } container
            ? $"{server.Tools.Container!.EngineProgram}: {{ container: {container}, user: postgres }}"
            : $"url: \"postgres://postgres@/?host={Uri.EscapeDataString(server.Server.Connection.Host!)}\"";
        string file = Path.Combine(folder, "olympus-pgbackup.yaml");
        await File.WriteAllTextAsync(
            file,
            $$"""
            cluster: demo
            source:
              {{source}}
            databases: [ciam_kratos, ciam_hydra, iam_kratos, iam_hydra, olympus]
            encryption:
              gpg: { recipients: [{{recipients}}], home: {{Path.Combine(folder, "keys")}} }
            stores:
              - { name: local, path: {{Path.Combine(folder, "backups")}} }
            """,
            cancel
        );
        return file;
    }
}
