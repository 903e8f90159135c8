namespace PgBackup.IntegrationTests.Check;

/// <summary>What is written to may fail or vanish while a run goes on: its log, and its store.</summary>
[Collection("bad days")]
public sealed class VanishingStoreTests(BadDaysCluster cluster)
{
    [Fact]
    public async Task Messages_that_cannot_be_written_do_not_cost_the_backup()
    {
        using Workspace night = cluster.Plain("tiny");

        Outcome run = await Shell.RunAsync("sh", ["-c", "\"$1\" --config \"$2\" 2>/dev/full", "sh", Surroundings.Binary, night.ConfigFile]);

        run.ExitCode.ShouldBe(0, run.ToString());
        (await night.RunAsync(0, "check", "latest", "--read-data")).Output.ShouldContain("equal to the proof");
    }

    [Fact]
    public async Task An_object_that_vanishes_while_the_run_goes_on_fails_it()
    {
        using Workspace night = Workspace.ForContainer(cluster.Server.Name, Workspace.Age(cluster.Keys), ["tiny"]);
        string age = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(static f => Path.Combine(f, "age")).First(File.Exists);
        // Of the two objects, the one whose encryption ends last takes the other away once it is stored.
        night.PutOnPath(
            "age",
            $"""
            #!/bin/sh
            {age} "$@" || exit
            case "$*" in *--armor*) exit 0 ;; esac
            mkdir {night.Folder}/first 2>/dev/null && exit 0
            until rm {night.Store}/*/2*.age 2>/dev/null; do sleep 0.1; done
            """
        );

        Outcome run = await night.RunAsync(1);

        run.Errors.ShouldContain("are not there any more");
        (await night.RunAsync(0, "list")).Output.ShouldContain("has no snapshots.");
    }
}
