using PgBackup.Snapshots;

namespace PgBackup.Soak.Kinds;

/// <summary>
/// A mark that stands where it should not, or is gone. Marks are hints for listings: whatever they say, no snapshot may be lost, the newest
/// complete one stays restorable, and a mark that contradicts the manifest is told.
/// </summary>
internal sealed class DamagedMark : FaultKind
{
    public override string Name => "damaged mark";

    public override int Share => 40;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        using Scene scene = await Scene.OpenAsync(strike, site, keep: strike.Pick("{}", "{ all: 14d }"));
        string id = strike.Pick([.. scene.Origin.Now, scene.Origin.Old[0]]);
        string mark = strike.Pick(SnapshotLayout.Incomplete, SnapshotLayout.InProgress, SnapshotLayout.Pinned, SnapshotLayout.Proven);
        string content = strike.Pick("", "\n", "{ \"no\": json", new string('x', 70000), "\e[31m\0\r\n");
        strike.Step($"a stray {mark} of {content.Length} characters in {(scene.Origin.Old.Contains(id) ? "an old snapshot" : id)}");
        await File.WriteAllTextAsync(Path.Combine(scene.Workspace.Store, id, mark), content);
        Outcome check = await scene.RunAsync(["check", "--all", "--read-data", .. scene.Identity]);
        if (mark == SnapshotLayout.Incomplete && check.ExitCode == 0)
        {
            strike.Find(Verdict.FalselyGood, "check: exit code 0 though a stray INCOMPLETE hides a complete snapshot");
        }

        if (await scene.RunAsync("list") is { ExitCode: not 0 } list)
        {
            strike.Find(Verdict.Lost, $"list: exit code {list.ExitCode}: {Outcomes.Tail(list)}");
        }

        await Judge.NextRunAsync(scene);
        string[] changed = [.. scene.Changed(mayBeGone: true)];
        if (changed.Length > 0)
        {
            strike.Find(Verdict.Lost, $"not what they were: {string.Join(", ", changed.Take(6))}");
        }
    }
}
