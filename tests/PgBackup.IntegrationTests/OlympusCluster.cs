namespace PgBackup.IntegrationTests;

/// <summary>The five databases with everything tricky, an empty server beside them, keys, and one snapshot encrypted to two gpg
/// recipients.</summary>
public sealed class OlympusCluster : IAsyncLifetime
{
    internal static readonly string[] Databases = ["ciam_kratos", "ciam_hydra", "iam_kratos", "iam_hydra", "olympus"];

    internal PostgresContainer Source { get; private set; } = null!;

    internal PostgresContainer Target { get; private set; } = null!;

    internal Keys Keys { get; private set; } = null!;

    internal Workspace Workspace { get; private set; } = null!;

    internal string Snapshot { get; private set; } = "";

    internal Outcome Backup { get; private set; } = null!;

    /// <summary>The source does not change (a test that changes it changes it back): asked once.</summary>
    internal Task<string> SourceContentsAsync(string database)
    {
        if (!contents.TryGetValue(database, out Task<string>? known))
        {
            contents[database] = known = Fingerprint.OfContentsAsync(Source, database);
        }

        return known;
    }

    private readonly Dictionary<string, Task<string>> contents = new(StringComparer.Ordinal);

    public async ValueTask InitializeAsync()
    {
        Source = await PostgresContainer.StartAsync("source");
        Task<Keys> keys = Keys.MakeAsync();
        Task<PostgresContainer> target = PostgresContainer.StartAsync("target");
        await Source.LoadFixtureAsync("--tricky", "--identities", "200");
        (Keys, Target) = (await keys, await target);
        Workspace = Workspace.ForContainer(Source.Name, Workspace.Gpg(Keys, Keys.Ops, Keys.Escrow), Databases);
        Backup = await Workspace.RunAsync();
        Snapshot = Backup.Output.Split(' ')[0].Trim();
    }

    public async ValueTask DisposeAsync()
    {
        Workspace?.Dispose();
        foreach (IAsyncDisposable? held in (IAsyncDisposable?[])[Source, Target, Keys])
        {
            if (held is not null)
            {
                await held.DisposeAsync();
            }
        }

        GC.SuppressFinalize(this);
    }
}

[CollectionDefinition("olympus")]
public sealed class OlympusCollection : ICollectionFixture<OlympusCluster>;
