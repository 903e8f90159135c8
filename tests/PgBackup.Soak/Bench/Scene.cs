using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace PgBackup.Soak.Bench;

/// <summary>The stage of one fault: a store that is a copy of a base, a config, and every process that was started for it.</summary>
internal sealed class Scene : IDisposable
{
    private const string Marker = "OLYMPUS_SOAK";

    // Ids of processes come again: those of one fault count for that fault alone.
    private readonly ConcurrentDictionary<int, string> processes = [];
    private readonly string mark = Guid.NewGuid().ToString("N");
    private readonly DateTimeOffset opened = TimeProvider.System.GetUtcNow().AddSeconds(-2); // a file's time is coarse
    private readonly Dictionary<string, string> before;

    private Scene(Strike strike, Site site, BaseStore origin, bool hasReplica, string keep, string more)
    {
        Strike = strike;
        Site = site;
        Origin = origin;
        Workspace = new Workspace("cluster: test");
        Replica = hasReplica ? Path.Combine(Workspace.Folder, "replica") : null;
        Configure(keep, more);
        Workspace.SetEnvironment(Marker, mark);
        Copy(origin.Folder, Workspace.Store);
        if (Replica is not null)
        {
            Copy(origin.Folder, Replica);
        }

        before = Digests();
    }

    public Strike Strike { get; }

    public Site Site { get; }

    public BaseStore Origin { get; }

    public Workspace Workspace { get; }

    /// <summary>The folder of the second store; null without one.</summary>
    public string? Replica { get; }

    public string[] Identity => Site.Identity(Origin.Encryption);

    /// <summary>Ids of what the program was, whether it lives or not.</summary>
    public IEnumerable<int> ProcessIds => processes.Keys;

    /// <param name="strike">Whose scene it is.</param>
    /// <param name="site">Of its worker.</param>
    /// <param name="hasReplica">Whether there is a second store; null: by chance.</param>
    /// <param name="encryption">The cipher; null: by chance.</param>
    /// <param name="keep">The rules of both stores; by default nothing goes.</param>
    /// <param name="more">Lines of the config that follow.</param>
    public static async Task<Scene> OpenAsync(
        Strike strike,
        Site site,
        bool? hasReplica = null,
        string? encryption = null,
        string keep = "{}",
        string more = ""
    )
    {
        string cipher = encryption ?? strike.Pick("none", "age", "age", "gpg");
        bool two = hasReplica ?? strike.Chance(0.4);
        strike.Step($"encryption {cipher}, {(two ? "two stores" : "one store")}");
        return new Scene(strike, site, await site.BaseAsync(cipher), two, keep, more);
    }

    /// <summary>Writes the config.</summary>
    /// <param name="keep">The rules of both stores.</param>
    /// <param name="more">Lines that follow.</param>
    /// <param name="local">Where the first store is; STORE stands for its folder.</param>
    /// <param name="databases">By default those of the base.</param>
    /// <param name="dump">A mapping of settings.</param>
    /// <param name="copy">Where the second store is; by default <see cref="Replica"/>, if there is one.</param>
    public void Configure(
        string keep,
        string more,
        string local = "path: " + "STORE",
        IReadOnlyList<string>? databases = null,
        string dump = "",
        string? copy = null
    )
    {
        string second = copy ?? (Replica is null ? "" : $"path: {Replica}");
        Workspace.Configure(
            $$"""
            cluster: test
            source:
              podman: { container: {{Site.Source.Name}} }
            databases: [{{string.Join(", ", (databases ?? Contents.Databases).Select(Yaml))}}]
            {{(dump.Length > 0 ? $"dump: {dump}" : "")}}
            encryption: {{Site.Encryption(Origin.Encryption)}}
            drill: { image: {{Surroundings.Image}} }
            stores:
              - { name: local, {{local}}, keep: {{keep}} }
            {{(second.Length == 0 ? "" : $"  - {{ name: copy, {second}, keep: {keep} }}")}}
            {{more}}
            """
        );
    }

    public RunningProgram Start(params string[] arguments)
    {
        RunningProgram program = Workspace.Start(arguments);
        processes[program.Id] = string.Join(' ', arguments);
        return program;
    }

    /// <summary>A shell does something first, and then becomes the program, which is <c>"$@"</c> to it.</summary>
    public RunningProgram StartBy(string script, params string[] arguments)
    {
        var program = new RunningProgram(
            "bash",
            ["-c", script, "soak", Surroundings.Binary, "--config", Workspace.ConfigFile, .. arguments],
            new Dictionary<string, string?>
            {
                [Marker] = mark,
                ["SOAK_FOLDER"] = Workspace.Folder,
                ["OLYMPUS_PGBACKUP_CONFIG"] = null,
                ["TERM"] = null,
            },
            Workspace.Folder,
            null
        );
        processes[program.Id] = string.Join(' ', arguments);
        return program;
    }

    /// <summary>Runs it to its end, and judges what holds for every call.</summary>
    public async Task<Outcome> RunAsync(params string[] arguments)
    {
        await using RunningProgram program = Start(arguments);
        return await EndAsync(program, string.Join(' ', arguments));
    }

    /// <summary>Waits for the end, and judges what holds for every call.</summary>
    public async Task<Outcome> EndAsync(RunningProgram program, string what, bool mayBeKilled = false)
    {
        Outcome outcome;
        try
        {
            outcome = await program.EndAsync(Limits.Call);
        }
        catch (TimeoutException e)
        {
            Strike.Find(Verdict.Internal, $"{what}: it hung: {e.Message}");
            return new Outcome(-1, "", "");
        }

        Strike.Step($"{what}: exit code {outcome.ExitCode}");
        if (Outcomes.Unforeseen(outcome, mayBeKilled) is { } unforeseen)
        {
            Strike.Find(Verdict.Internal, $"{what}: {unforeseen}");
        }

        return outcome;
    }

    /// <summary>What the program and its tools are on this host now.</summary>
    public List<SeenProcess> Living() => Processes.Marked($"\0{Marker}={mark}\0");

    /// <summary>
    /// Files of this host's memory and temporary folder that are no older than this fault, with the id of a process of it that is gone.
    /// Older ones are of others: ids come again, and names that are made by chance contain numbers too.
    /// </summary>
    public IEnumerable<string> Rests()
    {
        HashSet<string> gone = [.. processes.Keys.Where(static p => !Directory.Exists($"/proc/{p}")).Select(static p => $"{p}")];
        return ((string[])["/dev/shm", Path.GetTempPath()])
            .SelectMany(static root => Directory.EnumerateFileSystemEntries(root))
            .SelectMany(static e => IsOurs(e) ? [e, .. Inside(e)] : (IEnumerable<string>)[e])
            .Where(e => Path.GetFileName(e).Split('-', '.', '_').Any(gone.Contains) && File.GetLastWriteTimeUtc(e) >= opened.UtcDateTime);
    }

    /// <summary>Ids of all snapshots in the primary that have a manifest.</summary>
    public IEnumerable<string> Snapshots(string? store = null) =>
        Directory
            .GetDirectories(store ?? Workspace.Store)
            .Where(static f => File.Exists(Path.Combine(f, "manifest.json")))
            .Select(static f => Path.GetFileName(f))
            .Order(StringComparer.Ordinal);

    /// <summary>Earlier snapshots whose objects are not what they were; marks come and go.</summary>
    /// <param name="mayBeGone">The old ones may have been removed as a whole.</param>
    public IEnumerable<string> Changed(bool mayBeGone)
    {
        Dictionary<string, string> now = Digests();
        string[] ids =
        [
            .. Origin.Now,
            .. Origin.Old.Where(o => !mayBeGone || File.Exists(Path.Combine(Workspace.Store, o, "manifest.json"))),
        ];
        return before
            .Where(b => ids.Any(i => b.Key.StartsWith(i, StringComparison.Ordinal)) && now.GetValueOrDefault(b.Key) != b.Value)
            .Select(static b => b.Key);
    }

    public void Dispose()
    {
        foreach (SeenProcess rest in Living())
        {
            try
            {
                System.Diagnostics.Process.GetProcessById(rest.Id).Kill();
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                // It ended by itself.
            }
        }

        Workspace.Dispose();
    }

    // A scalar in double quotes, where every character may be written by its number.
    private static string Yaml(string text) =>
        $"\"{string.Concat(text.EnumerateRunes().Select(static r => r.IsAscii && char.IsAsciiLetterOrDigit((char)r.Value) ? r.ToString() : $"\\U{r.Value:X8}"))}\"";

    private static bool IsOurs(string entry) =>
        Path.GetFileName(entry).StartsWith("olympus-pgbackup", StringComparison.Ordinal) && Directory.Exists(entry);

    private static IEnumerable<string> Inside(string folder)
    {
        try
        {
            return Directory.GetFileSystemEntries(folder);
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static void Copy(string from, string to)
    {
        IEnumerable<string> files = Directory.GetFiles(from, "*", SearchOption.AllDirectories);
        foreach (string file in files.Where(static f => !f.EndsWith(".lock", StringComparison.Ordinal)))
        {
            string name = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(name)!);
            File.Copy(file, name);
        }
    }

    private Dictionary<string, string> Digests() =>
        Directory
            .GetFiles(Workspace.Store, "*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Workspace.Store, f))
            .Where(static f => char.IsAsciiDigit(f[0]) && Path.GetFileName(f) is not ("PINNED" or "PROVEN" or "IN-PROGRESS"))
            .ToDictionary(static f => f, f => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(Path.Combine(Workspace.Store, f)))));
}
