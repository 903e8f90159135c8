namespace PgBackup.Soak.Kinds;

/// <summary>A verb at work, to which something happens at a random moment, and what must hold afterwards.</summary>
internal abstract class Interruption : FaultKind
{
    /// <summary>How far beyond its usual end a verb may be when it happens.</summary>
    private const double Span = 1.05;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        string verb = strike.Pick(Verbs);
        bool? hasReplica = verb == "check" ? true : null;
        using Scene scene = await Scene.OpenAsync(strike, site, hasReplica, keep: verb == "prune" ? "{ all: 14d }" : "{}");
        string[] arguments = await PrepareAsync(scene, verb);
        double part = strike.Random.NextDouble() * Span;
        strike.Step($"{verb}, {part:0.000} of its usual time");
        await using (RunningProgram program = scene.Start(arguments))
        {
            await Task.Delay(TimeSpan.FromSeconds(site.Usual(verb) * part));
            bool isKilled = await HappenAsync(scene, program);
            Outcome outcome = await scene.EndAsync(program, verb, isKilled);
            await JudgeAsync(scene, verb, outcome);
        }

        await ReadyAsync(scene);
        await Judge.AfterAsync(scene, mayBeGone: verb == "prune", isRepaired: verb == "check", alsoDrill: verb == "drill");
        if (verb == "restore" || strike.Chance(0.06))
        {
            await Judge.RestoresAsync(scene, verb == "restore" ? scene.Origin.Now[^1] : "latest");
        }
    }

    /// <summary>Among which the kind chooses; one that stands there twice is chosen twice as often.</summary>
    protected virtual IReadOnlyList<string> Verbs { get; } =
    ["run", "run", "run", "run", "run", "run", "restore", "restore", "drill", "check", "prune", "pin"];

    /// <summary>Does it; returns whether the program itself may end by a signal.</summary>
    protected abstract Task<bool> HappenAsync(Scene scene, RunningProgram program);

    /// <summary>Waits until the surroundings are whole again.</summary>
    protected virtual Task ReadyAsync(Scene scene) => Task.CompletedTask;

    private static async Task<string[]> PrepareAsync(Scene scene, string verb)
    {
        switch (verb)
        {
            case "restore":
                PostgresContainer target = await scene.Site.TargetAsync();
                string[] jobs = scene.Strike.Chance(0.4) ? ["--jobs", "2"] : [];
                return ["restore", scene.Origin.Now[^1], "--globals", "--target", target.Target, .. jobs, .. scene.Identity];
            case "check":
                // Something to repair: one snapshot is not in the second store, and an object of another is cut.
                Directory.Delete(Path.Combine(scene.Replica!, scene.Origin.Now[0]), recursive: true);
                string part = Directory.GetFiles(Path.Combine(scene.Replica!, scene.Origin.Now[^1]), "*.dump*")[0];
                await File.WriteAllBytesAsync(part, (await File.ReadAllBytesAsync(part))[..^7]);
                return ["check", "--all", "--read-data", "--repair"];
            case "drill":
                return ["drill", .. scene.Identity];
            case "pin":
                return ["pin", scene.Origin.Now[0], "--note", "of the campaign"];
            default:
                return [verb];
        }
    }

    // A run that says it succeeded has a snapshot; whether it is whole is asked of all of them afterwards.
    private static async Task JudgeAsync(Scene scene, string verb, Outcome outcome)
    {
        if (outcome.ExitCode != 0)
        {
            return;
        }

        if (verb == "run" && !scene.Snapshots().Any(i => !scene.Origin.Now.Contains(i) && !scene.Origin.Old.Contains(i)))
        {
            scene.Strike.Find(Verdict.Lost, "run: exit code 0, and no new snapshot");
        }

        if (verb == "restore")
        {
            await Judge.ShouldEqualAsync(scene, scene.Site.Target!, "in spite of the interruption");
        }
    }
}
