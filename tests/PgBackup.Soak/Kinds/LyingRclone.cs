namespace PgBackup.Soak.Kinds;

/// <summary>rclone that fails, is cut, or lies, at one of its calls.</summary>
internal sealed class LyingRclone : FaultKind
{
    private const int Calls = 30;

    public override string Name => "lying rclone";

    public override int Share => 15;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        using Scene scene = await Scene.OpenAsync(strike, site, hasReplica: false, encryption: strike.Pick("none", "age"));
        string remote = Path.Combine(scene.Workspace.Folder, "remote");
        bool isPrimary = strike.Chance(0.5);
        string rclone = $"rclone: \":local:{remote}\"";
        scene.Configure("{ all: 14d }", "", local: isPrimary ? rclone : "path: STORE", copy: isPrimary ? null : rclone);
        await Judge.NextRunAsync(scene);

        string real = Environment
            .GetEnvironmentVariable("PATH")!
            .Split(':')
            .Select(static f => Path.Combine(f, "rclone"))
            .First(File.Exists);
        int call = 1 + strike.Random.Next(Calls);
        (string name, string script) = strike.Pick(
            ("fails", "echo 'said by the campaign' >&2; exit 1"),
            ("fails with an odd code", "exit 9"),
            ("does nothing and succeeds", "timeout 5 cat >/dev/null; exit 0"),
            ("says nothing it was asked for", "echo '[]'; exit 0"),
            ("prints no JSON", "echo '{ this is no'; exit 0"),
            ("is cut", $"head -c 200 | {real} \"$@\" | head -c 100; exit 0"),
            ("succeeds and then says it failed", $"{real} \"$@\"; exit 1"),
            ("is killed", "kill -9 $$")
        );
        strike.Step($"rclone {name} at call {call}, {(isPrimary ? "primary" : "second store")}");
        string count = Path.Combine(scene.Workspace.Folder, "calls");
        scene.Workspace.PutOnPath(
            "rclone",
            $"""
            #!/bin/bash
            n=$(flock {count}.lock sh -c 'n=$(($(cat {count} 2>/dev/null || echo 0) + 1)); echo $n >{count}; echo $n' </dev/null)
            if [ "$n" = {call} ]; then {script}; fi
            exec {real} "$@"
            """
        );
        await scene.RunAsync(strike.Pick("run", "run", "prune"));
        File.WriteAllText(count, "1000");
        await Judge.NextRunAsync(scene);
        if (await scene.RunAsync(["check", "--all", "--read-data", .. scene.Identity]) is { ExitCode: not 0 } check)
        {
            strike.Find(Verdict.Lost, $"check after the next run: exit code {check.ExitCode}: {Outcomes.Tail(check)}");
        }
    }
}
