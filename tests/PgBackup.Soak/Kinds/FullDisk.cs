namespace PgBackup.Soak.Kinds;

/// <summary>A store on a file system of its own, which is full or becomes read-only in the middle of a run.</summary>
internal sealed class FullDisk : FaultKind
{
    public override string Name => "full or read-only disk";

    public override int Share => 30;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        using Scene scene = await Scene.OpenAsync(strike, site);
        string folder = scene.Replica is not null && strike.Chance(0.5) ? scene.Replica : scene.Workspace.Store;
        string verb = strike.Pick("run", "run", "run", "check", "pin");
        string aside = folder + "-aside";
        Directory.Move(folder, aside);
        Directory.CreateDirectory(folder);
        await Shell.ReadAsync("mount", ["-t", "tmpfs", "-o", "size=16m", "olympus-soak", folder]);
        try
        {
            await Shell.ReadAsync("cp", ["-a", aside + "/.", folder]);
            await DisturbAsync(scene, folder, verb);
            await Judge.AfterAsync(scene);
        }
        finally
        {
            await Shell.ReadAsync("umount", ["--lazy", folder]);
        }
    }

    private static async Task DisturbAsync(Scene scene, string folder, string verb)
    {
        Strike strike = scene.Strike;
        string[] arguments = verb switch
        {
            "check" => ["check", "--all", "--read-data", "--repair", .. scene.Identity],
            "pin" => ["pin", scene.Origin.Now[0], "--note", "of the campaign"],
            _ => [verb],
        };
        string where = folder == scene.Replica ? "second store" : "primary";
        if (strike.Chance(0.6))
        {
            // tmpfs counts in pages; a page or more is free.
            int free = 4 * (1 + strike.Random.Next(16));
            string filler = Path.Combine(folder, ".filler");
            strike.Step($"{verb}, {free} KiB free in the {where}");
            await Shell.RunAsync("dd", ["if=/dev/zero", "of=" + filler, "bs=4k", "status=none"]);
            await Shell.ReadAsync("truncate", ["-s", $"-{free}K", filler]);
            await scene.RunAsync(arguments);
            File.Delete(filler);
            return;
        }

        double part = strike.Random.NextDouble();
        strike.Step($"{verb}, the {where} read-only after {part:0.000} of its usual time");
        await using RunningProgram program = scene.Start(arguments);
        await Task.Delay(TimeSpan.FromSeconds(scene.Site.Usual(verb) * part));
        // Refused while a file is open for writing: again until it is not, or the verb has ended.
        while (!program.HasExited && (await Shell.RunAsync("mount", ["-o", "remount,ro", folder])).ExitCode != 0)
        {
            await Task.Delay(20);
        }

        await scene.EndAsync(program, verb);
        await Shell.ReadAsync("mount", ["-o", "remount,rw", folder]);
    }
}
