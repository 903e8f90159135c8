namespace PgBackup.IntegrationTests.Drill;

/// <summary>
/// One night of three databases in two stores, encrypted by gpg, and one by age. The server that it was taken from is gone: no drill may
/// need it.
/// </summary>
public sealed class DrillSnapshots : IAsyncLifetime
{
    internal static readonly string[] Databases = ["ciam_kratos", "ciam_hydra", "olympus"];

    private Workspace gpg = null!;
    private Workspace age = null!;

    internal Keys Keys { get; private set; } = null!;

    internal string Snapshot { get; private set; } = "";

    internal string AgeSnapshot { get; private set; } = "";

    public async ValueTask InitializeAsync()
    {
        Task<Keys> keys = Keys.MakeAsync();
        await using PostgresContainer source = await PostgresContainer.StartAsync("drill");
        await source.LoadFixtureAsync("--identities", "50");
        await EncryptedValues.PutIntoAsync(source);
        Keys = await keys;
        (gpg, age) = (Night(source, Workspace.Gpg(Keys, Keys.Ops)), Night(source, Workspace.Age(Keys)));
        (Snapshot, AgeSnapshot) = (await TakeAsync(gpg), await TakeAsync(age));
    }

    public async ValueTask DisposeAsync()
    {
        gpg?.Dispose();
        age?.Dispose();
        if (Keys is not null)
        {
            await Keys.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>A copy of the stores, and a config that knows nothing but them and how to rehearse.</summary>
    internal async Task<Rehearsal> RehearseAsync(string drill = "", string? scratch = null, bool byAge = false)
    {
        var own = new Workspace(
            $"""
            cluster: test
            stores:
              - name: local
                path: STORE
              - name: offsite
                path: STORE-offsite
            drill:
              {scratch ?? $"image: {Surroundings.Image}"}
              {drill.ReplaceLineEndings("\n  ")}
            """
        );
        Workspace night = byAge ? age : gpg;
        await Shell.ReadAsync("cp", ["--archive", night.Store, night.Store + "-offsite", own.Folder]);
        return new Rehearsal(own, byAge ? AgeSnapshot : Snapshot, byAge ? Keys.AgeIdentity : Keys.OpsSecret);
    }

    /// <summary>The server's version in the text of a manifest.</summary>
    internal static string Version(string manifest) =>
        System.Text.Json.JsonDocument.Parse(manifest).RootElement.GetProperty("server_version").GetString()!;

    private static async Task<string> TakeAsync(Workspace night)
    {
        await night.RunAsync(0);
        return Directory.GetDirectories(night.Store).Select(static f => Path.GetFileName(f)!).Single(static f => f.EndsWith('Z'));
    }

    private static Workspace Night(PostgresContainer source, string encryption) =>
        new(
            $$"""
            cluster: test
            source:
              podman: {{source.Name}}
            databases: [{{string.Join(", ", Databases)}}]
            encryption: {{encryption}}
            stores:
              - name: local
                path: STORE
              - name: offsite
                path: STORE-offsite
            """
        );
}

[CollectionDefinition("drill")]
public sealed class DrillCollection : ICollectionFixture<DrillSnapshots>;
