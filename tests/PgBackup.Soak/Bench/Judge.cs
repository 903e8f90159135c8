using System.Diagnostics;

namespace PgBackup.Soak.Bench;

/// <summary>What must hold after every fault.</summary>
internal static class Judge
{
    /// <summary>
    /// The next plain run succeeds, all that is called complete is whole and holds what the server holds, earlier snapshots are what they
    /// were, and nothing is left.
    /// </summary>
    /// <param name="scene">Where the fault was.</param>
    /// <param name="mayBeGone">Old snapshots may have been removed by their rules.</param>
    /// <param name="isRepaired">Stores were damaged by the campaign: they are repaired first.</param>
    /// <param name="alsoDrill">A drill was disturbed: the next one cleans up.</param>
    public static async Task AfterAsync(Scene scene, bool mayBeGone = false, bool isRepaired = false, bool alsoDrill = false)
    {
        await SettledAsync(scene, "the fault", false);
        if (isRepaired)
        {
            await scene.RunAsync(["check", "--all", "--read-data", "--repair", .. scene.Identity]);
        }

        await NextRunAsync(scene);
        if (alsoDrill && await scene.RunAsync(["drill", .. scene.Identity]) is { ExitCode: not 0 } drill)
        {
            scene.Strike.Find(Verdict.LeftBehind, $"the next drill: exit code {drill.ExitCode}: {Outcomes.Tail(drill)}");
        }

        await WholeAsync(scene, mayBeGone);
        await SettledAsync(scene, "the next run", true);
    }

    /// <summary>A plain run, which must succeed.</summary>
    public static async Task NextRunAsync(Scene scene)
    {
        long start = Stopwatch.GetTimestamp();
        Outcome next = await scene.RunAsync("run");
        if (next.ExitCode == 0)
        {
            scene.Site.Took("run", start);
        }
        else
        {
            scene.Strike.Find(Verdict.LeftBehind, $"the next run: exit code {next.ExitCode}: {Outcomes.Tail(next)}");
        }
    }

    /// <summary>Everything that is called complete is whole, and holds what the server holds.</summary>
    public static async Task WholeAsync(Scene scene, bool mayBeGone)
    {
        Outcome check = await scene.RunAsync(["check", "--all", "--read-data", .. scene.Identity]);
        if (check.ExitCode != 0)
        {
            scene.Strike.Find(Verdict.Lost, $"check: exit code {check.ExitCode}: {Outcomes.Tail(check)}");
        }

        string[] changed = [.. scene.Changed(mayBeGone)];
        if (changed.Length > 0)
        {
            scene.Strike.Find(Verdict.Lost, $"not what they were: {string.Join(", ", changed.Take(6))}");
        }

        Dictionary<string, string> truth = BaseStore.Proofs(scene.Origin.Folder, scene.Origin.Now[^1]);
        foreach (string store in ((string?[])[scene.Workspace.Store, scene.Replica]).OfType<string>().Where(Directory.Exists))
        {
            foreach (string id in scene.Snapshots(store).Where(i => !scene.Origin.Now.Contains(i) && !scene.Origin.Old.Contains(i)))
            {
                string folder = Path.Combine(store, id);
                Dictionary<string, string> found = BaseStore.Proofs(store, id);
                if (!File.Exists(Path.Combine(folder, "INCOMPLETE")) && !truth.All(t => found.GetValueOrDefault(t.Key) == t.Value))
                {
                    scene.Strike.Find(Verdict.FalselyGood, $"{id} is called complete, and does not hold what the server holds");
                }
            }
        }
    }

    /// <summary>Restores into an empty server; what is called equal must be so by our own comparison.</summary>
    public static async Task RestoresAsync(Scene scene, string id)
    {
        PostgresContainer target = await scene.Site.TargetAsync();
        long start = Stopwatch.GetTimestamp();
        Outcome restore = await scene.RunAsync(["restore", id, "--globals", "--target", target.Target, .. scene.Identity]);
        if (restore.ExitCode != 0)
        {
            scene.Strike.Find(Verdict.Lost, $"{id} cannot be restored: exit code {restore.ExitCode}: {Outcomes.Tail(restore)}");
            return;
        }

        scene.Site.Took("restore", start);
        await ShouldEqualAsync(scene, target, id);
    }

    /// <summary>The target holds what the source holds.</summary>
    public static async Task ShouldEqualAsync(Scene scene, PostgresContainer target, string what)
    {
        foreach ((string database, string expected) in scene.Site.Expected)
        {
            if (Different(await Fingerprint.OfContentsAsync(target, database), expected) is { } difference)
            {
                scene.Strike.Find(Verdict.FalselyGood, $"{what} was restored and called equal; {database}: {difference}");
            }
        }

        if (Different(await Fingerprint.OfRolesAsync(target), scene.Site.ExpectedRoles) is { } roles)
        {
            scene.Strike.Find(Verdict.FalselyGood, $"{what} was restored and called equal; roles: {roles}");
        }
    }

    /// <summary>The first lines that differ; null if none does.</summary>
    public static string? Different(string found, string expected)
    {
        if (found == expected)
        {
            return null;
        }

        IEnumerable<string> missing = expected.Split('\0').Except(found.Split('\0')).Take(2).Select(static l => "- " + l);
        return string.Join(" ", [.. missing, .. found.Split('\0').Except(expected.Split('\0')).Take(2).Select(static l => "+ " + l)]);
    }

    /// <summary>No process, session or file of the program is left, on this host or in the container.</summary>
    /// <param name="scene">Where the fault was.</param>
    /// <param name="since">What it is left since, for the finding.</param>
    /// <param name="files">Files too: those of a killed process go with the next run.</param>
    private static async Task SettledAsync(Scene scene, string since, bool files)
    {
        List<string> left = [];
        try
        {
            await Shell.UntilAsync(
                () =>
                {
                    left = [.. scene.Living().Concat(scene.Site.Strangers()).Select(static p => $"process {p.Name} ({p.CommandLine})")];
                    if (files)
                    {
                        left.AddRange(scene.Rests().Concat(scene.Site.Rests()));
                        left.AddRange(
                            Directory
                                .GetDirectories(scene.Workspace.Store)
                                .Select(static f => Path.Combine(f, "IN-PROGRESS"))
                                .Where(File.Exists)
                        );
                    }

                    return Task.FromResult(left.Count == 0);
                },
                "nothing is left",
                Limits.Settling
            );
        }
        catch (TimeoutException)
        {
            scene.Strike.Find(Verdict.LeftBehind, $"since {since}: {string.Join("; ", left.Take(5))}");
        }

        if (files && await ContainersAsync(scene) is { Length: > 0 } containers)
        {
            scene.Strike.Find(Verdict.LeftBehind, $"since {since}: containers {containers}");
        }
    }

    private static async Task<string> ContainersAsync(Scene scene)
    {
        const string Label = "olympus-pgbackup.pid";
        string all = await Shell.ReadAsync(
            "podman",
            ["ps", "--all", "--filter", "label=" + Label, "--format", $"{{{{.Names}}}} {{{{index .Labels \"{Label}\"}}}}"]
        );
        return string.Join(
            ", ",
            all.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Where(l => scene.ProcessIds.Any(p => l.EndsWith($" {p}", StringComparison.Ordinal)))
        );
    }
}
