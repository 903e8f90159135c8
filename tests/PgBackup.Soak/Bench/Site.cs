using System.Diagnostics;
using System.Globalization;

namespace PgBackup.Soak.Bench;

/// <summary>What one worker has for itself: a server that is backed up, one to restore into, and stores to begin with.</summary>
internal sealed class Site : IAsyncDisposable
{
    // Of the old snapshots, in years.
    private static readonly int[] Ages = [3, 2, 1];

    private readonly Dictionary<string, BaseStore> bases = new(StringComparer.Ordinal);
    private readonly Dictionary<string, double> seconds = new(StringComparer.Ordinal)
    {
        ["run"] = 1.2,
        ["restore"] = 1.6,
        ["drill"] = 5,
        ["check"] = 1,
        ["prune"] = 0.4,
        ["pin"] = 0.3,
    };

    private readonly string folder = Directory.CreateTempSubdirectory("ops-").FullName;
    private int first;

    private Site(Keys keys, RadosGateway gateway, PostgresContainer source)
    {
        Keys = keys;
        Gateway = gateway;
        Source = source;
    }

    public Keys Keys { get; }

    public RadosGateway Gateway { get; }

    public PostgresContainer Source { get; }

    /// <summary>The server that was restored into last; null before the first.</summary>
    public PostgresContainer? Target { get; private set; }

    /// <summary>What the databases hold, told without the product.</summary>
    public IReadOnlyDictionary<string, string> Expected { get; private set; } = new Dictionary<string, string>();

    /// <summary>The roles of the source, told without the product.</summary>
    public string ExpectedRoles { get; private set; } = "";

    public static async Task<Site> StartAsync(Keys keys, RadosGateway gateway)
    {
        var site = new Site(keys, gateway, await PostgresContainer.StartAsync("soak"));
        await site.Source.SqlAsync("postgres", Contents.Globals.Replace("; ", ";\n", StringComparison.Ordinal));
        await site.Source.SqlAsync("shop", Contents.Shop);
        await site.Source.SqlAsync("mail", Contents.Mail);
        // After a crash a sequence goes on behind the values that were reserved since the last checkpoint: nothing is, then.
        await site.Source.SqlAsync("postgres", "CHECKPOINT");
        await site.FindFirstAsync();
        return site;
    }

    /// <summary>The identity that decrypts what this cipher encrypts, as options.</summary>
    public string[] Identity(string encryption) =>
        encryption switch
        {
            "gpg" => ["--identity", Keys.OpsSecret],
            "age" => ["--identity", Keys.AgeIdentity],
            _ => [],
        };

    public string Encryption(string name) =>
        name switch
        {
            "gpg" => Workspace.Gpg(Keys, Keys.Ops),
            "age" => Workspace.Age(Keys),
            _ => "none",
        };

    /// <summary>Processes in the source's container that are not Postgres, and sessions of clients.</summary>
    public List<SeenProcess> Strangers() =>
        [
            .. Processes
                .InContainer(first)
                .Where(static p => p.Name != "postgres" || p.CommandLine.Contains("[local]", StringComparison.Ordinal)),
        ];

    /// <summary>Files of the program in the container's memory and temporary folder.</summary>
    public IEnumerable<string> Rests() =>
        ((string[])["dev/shm", "tmp"])
            .Select(f => $"/proc/{first}/root/{f}")
            .Where(Directory.Exists)
            .SelectMany(static f => Directory.EnumerateFileSystemEntries(f, "olympus-pgbackup*"));

    /// <summary>The container has another first process after it was started again.</summary>
    public async Task FindFirstAsync() =>
        first = int.Parse(
            (await Shell.ReadAsync("podman", ["container", "inspect", "--format", "{{.State.Pid}}", Source.Name])).Trim(),
            CultureInfo.InvariantCulture
        );

    public async Task WaitForSourceAsync() => await Shell.UntilAsync(AnswersAsync, "the source answers again", 60);

    // A psql that ends before it has read its question breaks the pipe to it: no answer either.
    private async Task<bool> AnswersAsync()
    {
        try
        {
            return (await Source.TrySqlAsync("shop", "SELECT 1")).ExitCode == 0;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>An empty server to restore into.</summary>
    public async Task<PostgresContainer> TargetAsync()
    {
        Target ??= await PostgresContainer.StartAsync("soak-target");
        await Target.EmptyAsync();
        return Target;
    }

    /// <summary>How long a verb takes here when nothing goes wrong, in seconds.</summary>
    public double Usual(string verb) => seconds[verb];

    public void Took(string verb, long start) =>
        seconds[verb] = (seconds[verb] * 0.7) + (Stopwatch.GetElapsedTime(start).TotalSeconds * 0.3);

    public async Task<BaseStore> BaseAsync(string encryption)
    {
        if (bases.TryGetValue(encryption, out BaseStore? known))
        {
            return known;
        }

        using Workspace workspace = Workspace.ForContainer(Source.Name, Encryption(encryption), Contents.Databases);
        workspace.Configure(workspace.Config().Replace("{ all: 14d }", "{}", StringComparison.Ordinal));
        workspace.UseStore(Path.Combine(folder, encryption));
        // The base of another cipher was made of these contents: they stay.
        if (bases.Count == 0)
        {
            await Source.SqlAsync("mail", Contents.Change);
        }

        string earlier = await workspace.BackupAsync();
        string[] old = [.. Ages.Select(years => $"{int.Parse(earlier[..4], CultureInfo.InvariantCulture) - years}0315T030000Z")];
        Array.ForEach(old, id => BaseStore.Copy(workspace.Store, earlier, id));
        if (bases.Count == 0)
        {
            await Source.SqlAsync("mail", Contents.Change);
        }

        string[] now = [earlier, await workspace.BackupAsync()];
        if (bases.Count == 0)
        {
            Expected = new Dictionary<string, string>
            {
                ["shop"] = await Fingerprint.OfContentsAsync(Source, "shop"),
                ["mail"] = await Fingerprint.OfContentsAsync(Source, "mail"),
            };
            ExpectedRoles = await Fingerprint.OfRolesAsync(Source);
        }

        await workspace.RunAsync(0, ["check", "--all", "--read-data", .. Identity(encryption)]);
        return bases[encryption] = new BaseStore(workspace.Store, encryption, old, now);
    }

    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        if (Target is not null)
        {
            await Target.DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }
}
