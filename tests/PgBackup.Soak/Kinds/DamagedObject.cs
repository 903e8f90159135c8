using PgBackup.Snapshots;

namespace PgBackup.Soak.Kinds;

/// <summary>
/// One object of a snapshot is damaged, in any way. <c>check --read-data</c> must tell it; and a restore must refuse, or bring what was
/// there.
/// </summary>
internal sealed class DamagedObject : FaultKind
{
    public override string Name => "damaged object";

    public override int Share => 620;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        using Scene scene = await Scene.OpenAsync(strike, site);
        string store = scene.Replica is not null && strike.Chance(0.5) ? scene.Replica : scene.Workspace.Store;
        string id = strike.Pick([.. scene.Origin.Now, scene.Origin.Old[^1]]);
        string[] objects =
        [
            .. Directory
                .GetFiles(Path.Combine(store, id))
                .Where(static f => Path.GetFileName(f) is not (SnapshotLayout.Pinned or SnapshotLayout.Proven))
                .Order(StringComparer.Ordinal),
        ];
        string keys = Path.Combine(store, SnapshotLayout.Keys);
        string[] canaries = Directory.Exists(keys) ? [.. Directory.GetFiles(keys, "canary-*").Order(StringComparer.Ordinal)] : [];
        string victim = strike.Pick([.. objects, .. canaries]);
        byte[] original = await File.ReadAllBytesAsync(victim);
        string did = await Damage.DoAsync(strike, victim, objects, scene.Origin.Now.Concat(scene.Origin.Old).First(i => i != id), id);
        strike.Step(
            $"{(store == scene.Replica ? "copy" : "local")}/"
                + $"{Path.GetRelativePath(store, victim).Replace(id, "ID", StringComparison.Ordinal)}: {did}"
        );
        if (File.Exists(victim) && (await File.ReadAllBytesAsync(victim)).SequenceEqual(original))
        {
            strike.Step("the same content: no damage");
            return;
        }

        Outcome check = await scene.RunAsync(["check", "--all", "--read-data", .. strike.Chance(0.5) ? scene.Identity : []]);
        if (check.ExitCode == 0)
        {
            string name = Path.GetFileName(victim).Replace(id, "ID", StringComparison.Ordinal);
            strike.Find(Verdict.FalselyGood, $"check --read-data: exit code 0 though {name} was damaged ({did})");
        }

        if (!canaries.Contains(victim) && strike.Chance(0.12))
        {
            await RestoreAsync(scene, store, id);
        }

        if (strike.Chance(0.1))
        {
            await RepairAsync(scene, store);
        }
    }

    private static async Task RestoreAsync(Scene scene, string store, string id)
    {
        PostgresContainer target = await scene.Site.TargetAsync();
        string[] from = store == scene.Replica ? ["--store", "copy"] : [];
        Outcome restore = await scene.RunAsync(["restore", id, "--globals", "--target", target.Target, .. from, .. scene.Identity]);
        if (restore.ExitCode == 0 && id == scene.Origin.Now[^1])
        {
            await Judge.ShouldEqualAsync(scene, target, "the damaged snapshot");
        }
    }

    // With a second store everything can be repaired; without one the next run is as good as ever. What was damaged in the only store stays
    // so.
    private static async Task RepairAsync(Scene scene, string store)
    {
        await Judge.NextRunAsync(scene);
        if (scene.Replica is null)
        {
            return;
        }

        await scene.RunAsync(["check", "--all", "--read-data", "--repair", .. scene.Identity]);
        if (await scene.RunAsync(["check", "--all", "--read-data", .. scene.Identity]) is { ExitCode: not 0 } after)
        {
            scene.Strike.Find(
                Verdict.Lost,
                $"check after a repair of {(store == scene.Replica ? "copy" : "local")}: " + $"{Outcomes.Tail(after)}"
            );
        }

        string[] changed = [.. scene.Changed(mayBeGone: false)];
        if (changed.Length > 0)
        {
            scene.Strike.Find(Verdict.Lost, $"after a repair not what they were: {string.Join(", ", changed.Take(6))}");
        }
    }
}
