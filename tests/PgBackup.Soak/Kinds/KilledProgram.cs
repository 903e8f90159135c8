namespace PgBackup.Soak.Kinds;

/// <summary>The program gets a signal.</summary>
internal sealed class KilledProgram : Interruption
{
    public override string Name => "killed program";

    public override int Share => 60;

    protected override async Task<bool> HappenAsync(Scene scene, RunningProgram program)
    {
        string signal = scene.Strike.Pick("KILL", "KILL", "KILL", "TERM", "INT");
        scene.Strike.Step($"SIG{signal} to the program");
        await program.SignalAsync(signal);
        // Before it has set up how it ends, TERM and INT end it as they end any program.
        return true;
    }
}
