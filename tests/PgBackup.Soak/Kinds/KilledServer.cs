namespace PgBackup.Soak.Kinds;

/// <summary>The server's container is killed, or started again, beneath the program.</summary>
internal sealed class KilledServer : Interruption
{
    public override string Name => "killed server";

    public override int Share => 12;

    protected override IReadOnlyList<string> Verbs { get; } = ["run", "run", "run", "check"];

    protected override async Task<bool> HappenAsync(Scene scene, RunningProgram program)
    {
        string server = scene.Site.Source.Name;
        if (scene.Strike.Chance(0.5))
        {
            scene.Strike.Step("podman kill of the source, and start");
            await Shell.ReadAsync("podman", ["kill", server]);
            await Task.Delay(scene.Strike.Random.Next(500));
            await Shell.UntilAsync(async () => (await Shell.RunAsync("podman", ["start", server])).ExitCode == 0, "the container starts");
        }
        else
        {
            scene.Strike.Step("podman restart of the source");
            await Shell.ReadAsync("podman", ["restart", "--time", "1", server]);
        }

        await scene.Site.FindFirstAsync();
        return false;
    }

    protected override Task ReadyAsync(Scene scene) => scene.Site.WaitForSourceAsync();
}
