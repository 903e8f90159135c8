using PgBackup.Operations.Drill;
using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Support;

/// <summary>Drills with two stores of their own.</summary>
internal sealed class Rehearsal(Workspace workspace, string snapshot, string identity) : IDisposable
{
    public Workspace Workspace { get; } = workspace;

    public string Snapshot { get; } = snapshot;

    public IReadOnlyList<string> Stores => [Workspace.Store, Workspace.Store + "-offsite"];

    /// <summary>Holds a drill; expects the exit code, nothing left, and the same report in every store, which is returned.</summary>
    public async Task<(Outcome Outcome, DrillReport Report)> DrillAsync(int exitCode, params string[] arguments)
    {
        await using RunningProgram drill = Start(arguments);
        Outcome outcome = await drill.EndAsync();
        outcome.ExitCode.ShouldBe(exitCode, outcome.ToString());
        (await ContainersAsync(drill.Id)).ShouldBeEmpty();
        Workspace.HostShouldBeClean();
        return (outcome, Report());
    }

    public RunningProgram Start(params string[] arguments) =>
        Workspace.Start(["drill", .. arguments.Contains("--identity") ? Array.Empty<string>() : ["--identity", identity], .. arguments]);

    /// <summary>The newest report, the same in every store.</summary>
    public DrillReport Report()
    {
        byte[][] reports = [.. Stores.Select(static s => File.ReadAllBytes(Reports(s)[^1]))];
        reports[1].ShouldBe(reports[0]);
        Stores.ShouldAllBe(static s => File.Exists(Path.ChangeExtension(Reports(s).Last(), ".md")));
        return DrillReport.TryRead(reports[0]).ShouldNotBeNull();
    }

    /// <summary>The readable form of it.</summary>
    public string Text() => File.ReadAllText(Path.ChangeExtension(Reports(Stores[1])[^1], ".md"));

    public int ReportCount => Reports(Stores[1]).Count;

    public bool IsProven(string store) => File.Exists(Path.Combine(store, Snapshot, SnapshotLayout.Proven));

    /// <summary>Scratch servers that a process started.</summary>
    public static async Task<string[]> ContainersAsync(int process) =>
        (
            await Shell.ReadAsync("podman", ["ps", "--all", "--filter", $"label=olympus-pgbackup.pid={process}", "--format", "{{.Names}}"])
        ).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public void Dispose() => Workspace.Dispose();

    private static List<string> Reports(string store) =>
        Directory.Exists(Path.Combine(store, "drills"))
            ? [.. Directory.GetFiles(Path.Combine(store, "drills"), "*.json").Order(StringComparer.Ordinal)]
            : [];
}
