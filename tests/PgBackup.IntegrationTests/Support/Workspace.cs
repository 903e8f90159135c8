using System.Text;
using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Support;

/// <summary>A config, a store, and the published binary, run as an operator runs it.</summary>
internal sealed class Workspace : IDisposable
{
    private readonly Dictionary<string, string?> environment = new(StringComparer.Ordinal);

    public Workspace(string config)
    {
        Folder = Directory.CreateTempSubdirectory("opw-").FullName;
        Store = Path.Combine(Folder, "store");
        environment["OLYMPUS_PGBACKUP_CONFIG"] = null;
        environment["TERM"] = null;
        Configure(config);
    }

    public string Folder { get; }

    public string Store { get; private set; }

    /// <summary>What the program gets in its environment; null takes away.</summary>
    public IReadOnlyDictionary<string, string?> Variables => environment;

    public string ConfigFile => Path.Combine(Folder, "config.yaml");

    /// <summary>A config for databases of a container.</summary>
    public static Workspace ForContainer(
        string container,
        string encryption,
        IEnumerable<string> databases,
        string dump = "",
        string user = "postgres"
    ) =>
        new(
            $$"""
            cluster: test
            source:
              podman: { container: {{container}}, user: {{user}} }
            databases: [{{string.Join(", ", databases.Select(Quoted))}}]
            {{(dump.Length > 0 ? $"dump: {dump}" : "")}}
            encryption: {{encryption}}
            stores:
              - { name: local, path: STORE, keep: { all: 14d } }
            """
        );

    public static string Gpg(Keys keys, params string[] recipients) =>
        $"{{ gpg: {{ recipients: [{string.Join(", ", recipients)}], home: {keys.PublicHome} }} }}";

    public static string Age(Keys keys) => $"{{ age: {{ recipients: [{keys.AgeRecipient}] }} }}";

    /// <summary>A scalar of YAML in double quotes.</summary>
    public static string Quoted(string text) => $"\"{text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")}\"";

    /// <summary>Writes the config; STORE stands for the store's folder.</summary>
    public void Configure(string config) => File.WriteAllText(ConfigFile, config.Replace("STORE", Store, StringComparison.Ordinal));

    public string Config() => File.ReadAllText(ConfigFile);

    public void UseStore(string folder)
    {
        string config = Config().Replace(Store, "STORE", StringComparison.Ordinal);
        Store = folder;
        Configure(config);
    }

    public void SetEnvironment(string name, string? value) => environment[name] = value;

    /// <summary>podman tells a process that is not there, as if this user could not look at it.</summary>
    public void BlindPodman()
    {
        string podman = Environment
            .GetEnvironmentVariable("PATH")!
            .Split(':')
            .Select(static f => Path.Combine(f, "podman"))
            .First(File.Exists);
        PutOnPath(
            "podman",
            $"""
            #!/bin/sh
            if [ "$1 $2" = "container inspect" ]; then {podman} "$@" | sed 's/running [0-9]*/running 999999999/'; exit; fi
            exec {podman} "$@"
            """
        );
    }

    /// <summary>The memory of the containers that podman starts is small, and what tells its free space (<c>df</c>) says that it is
    /// large.</summary>
    public void FillPodmansMemory()
    {
        string podman = Environment
            .GetEnvironmentVariable("PATH")!
            .Split(':')
            .Select(static f => Path.Combine(f, "podman"))
            .First(File.Exists);
        PutOnPath(
            "podman",
            $"""
            #!/bin/sh
            [ "$1" = run ] || exec {podman} "$@"
            n=$# before=
            while [ $n -gt 0 ]; do
              value=$1; shift; n=$((n - 1))
              [ "$before" != --shm-size ] || value=8m
              [ "$before" != --name ] || name=$value
              before=$value; set -- "$@" "$value"
            done
            {podman} "$@" || exit
            printf '#!/bin/sh\necho head\necho shm 99999999 0 99999999 0%% /dev/shm\n' |
              {podman} exec -i "$name" sh -c 'cat >/usr/local/bin/df; chmod 755 /usr/local/bin/df'
            """
        );
    }

    /// <summary>A program found before all others of its name.</summary>
    public void PutOnPath(string name, string script)
    {
        string bin = Path.Combine(Folder, "bin");
        Directory.CreateDirectory(bin);
        string file = Path.Combine(bin, name);
        File.WriteAllText(file, script);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        environment["PATH"] = $"{bin}:{Environment.GetEnvironmentVariable("PATH")}";
    }

    /// <summary>A PATH with links to everything that is on it now, but for some programs.</summary>
    public void TakeFromPath(params string[] names)
    {
        string bin = Path.Combine(Folder, "without-" + names[0]);
        Directory.CreateDirectory(bin);
        foreach (
            string file in Environment.GetEnvironmentVariable("PATH")!.Split(':').Where(Directory.Exists).SelectMany(Directory.GetFiles)
        )
        {
            string link = Path.Combine(bin, Path.GetFileName(file));
            if (!names.Contains(Path.GetFileName(file)) && !File.Exists(link))
            {
                File.CreateSymbolicLink(link, file);
            }
        }

        environment["PATH"] = bin;
    }

    /// <summary>Runs the binary with this config to its end.</summary>
    public async Task<Outcome> RunAsync(params string[] arguments)
    {
        await using RunningProgram program = Start(arguments);
        return await program.EndAsync();
    }

    /// <summary>Runs it and expects an exit code.</summary>
    public async Task<Outcome> RunAsync(int exitCode, params string[] arguments)
    {
        Outcome outcome = await RunAsync(arguments);
        outcome.ExitCode.ShouldBe(exitCode, $"olympus-pgbackup {string.Join(' ', arguments)}: {outcome}");
        return outcome;
    }

    public RunningProgram Start(params string[] arguments) =>
        new(Surroundings.Binary, ["--config", ConfigFile, .. arguments], environment, Folder, null);

    /// <summary>Takes a snapshot and returns its id.</summary>
    public async Task<string> BackupAsync(int exitCode = 0)
    {
        Outcome outcome = await RunAsync(exitCode);
        return outcome.Output.Split('\n').Last(static l => l.Length > 0 && char.IsAsciiDigit(l[0])).Split(' ')[0];
    }

    public string SnapshotFolder(string id) => Path.Combine(Store, id);

    public Manifest Manifest(string id)
    {
        string file = Path.Combine(SnapshotFolder(id), SnapshotLayout.Manifest);
        return Snapshots.Manifest.Read(File.ReadAllBytes(file), file);
    }

    public string PartFile(string id, string database) =>
        Path.Combine(SnapshotFolder(id), Manifest(id).Databases.Single(p => p.Database == database).Object);

    /// <summary>Digests of every file below the store, hidden ones too but for the lock: what must not change. Each use adds a
    /// record.</summary>
    public IReadOnlyDictionary<string, string> Contents() =>
        Directory.Exists(Store)
            ? Directory
                .EnumerateFiles(Store, "*", SearchOption.AllDirectories)
                .Where(f => !f.EndsWith(".lock", StringComparison.Ordinal) && !f.StartsWith(Path.Combine(Store, SnapshotLayout.Records)))
                .ToDictionary(
                    f => Path.GetRelativePath(Store, f),
                    static f => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f)))
                )
            : new Dictionary<string, string>();

    /// <summary>No folder of this program is left in this host's memory or temp folder by a process that this test started, and that has
    /// ended.</summary>
    public static void HostShouldBeClean()
    {
        IEnumerable<string> left = ((string[])["/dev/shm", Path.GetTempPath()])
            .SelectMany(static root => Directory.GetDirectories(root, "olympus-pgbackup-*"))
            .Where(static f =>
                Path.GetFileName(f).Split('-') is [_, _, string pid, ..]
                && int.TryParse(pid, out int id)
                && RunningProgram.IsOfThisTest(id)
                && !Directory.Exists("/proc/" + pid)
            );
        left.ShouldBeEmpty();
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    public override string ToString() => new StringBuilder(Folder).ToString();
}
