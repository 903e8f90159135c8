namespace PgBackup.Soak.Kinds;

/// <summary>One of the tools that the program started gets a signal: gpg, age, the engine's client, or one in the container.</summary>
internal sealed class KilledTool : Interruption
{
    private const double Patience = 0.6;

    public override string Name => "killed tool";

    public override int Share => 50;

    protected override IReadOnlyList<string> Verbs { get; } = ["run", "run", "run", "run", "run", "restore", "restore", "drill", "check"];

    protected override async Task<bool> HappenAsync(Scene scene, RunningProgram program)
    {
        string signal = scene.Strike.Pick("KILL", "TERM");
        double which = scene.Strike.Random.NextDouble();
        for (double waited = 0; waited < Patience && !program.HasExited; waited += 0.01)
        {
            SeenProcess[] tools =
            [
                .. scene
                    .Living()
                    .Where(p => p.Id != program.Id && p.Name is not "conmon")
                    .Concat(scene.Site.Strangers().Where(static s => s.Name != "postgres"))
                    .OrderBy(static p => p.Name, StringComparer.Ordinal)
                    .ThenBy(static p => p.Id),
            ];
            if (tools.Length > 0)
            {
                SeenProcess tool = tools[(int)(which * tools.Length)];
                string words = tool.CommandLine.ReplaceLineEndings(" ");
                scene.Strike.Step($"SIG{signal} to {tool.Name} ({(words.Length > 80 ? words[..80] : words)})");
                await Shell.RunAsync("kill", ["-" + signal, $"{tool.Id}"]);
                return false;
            }

            await Task.Delay(10);
        }

        scene.Strike.Step("no tool was met");
        return false;
    }

    // The server may have gone into crash recovery, as it does when one of the processes that it inherited ends by a signal.
    protected override Task ReadyAsync(Scene scene) => scene.Site.WaitForSourceAsync();
}
