namespace PgBackup.IntegrationTests;

/// <summary>
/// A server for what goes wrong. <c>big</c> is larger than all pipes between pg_dump and a cipher, so that a held cipher holds it in
/// mid-dump; <c>small</c> and <c>tiny</c> are done at once.
/// </summary>
public sealed class BadDaysCluster : IAsyncLifetime
{
    internal PostgresContainer Server { get; private set; } = null!;

    internal Keys Keys { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Task<Keys> keys = Keys.MakeAsync();
        Server = await PostgresContainer.StartAsync("bad-days");
        await Server.SqlAsync("postgres", "CREATE DATABASE big; CREATE DATABASE small; CREATE DATABASE tiny");
        await Server.SqlAsync(
            "big",
            "CREATE TABLE noise AS SELECT g, (SELECT string_agg(md5(format('%s/%s', g, i)), '') FROM generate_series(1, 30) i) AS v "
                + "FROM generate_series(1, 16000) g"
        );
        await Server.SqlAsync(
            "small",
            "CREATE TABLE t AS SELECT g, md5(g::text) AS v FROM generate_series(1, 5000) g; CREATE TABLE secret AS SELECT 'hush' AS v"
        );
        await Server.SqlAsync("tiny", "CREATE TABLE t AS SELECT 'one row' AS v");
        Keys = await keys;
    }

    public async ValueTask DisposeAsync()
    {
        if (Server is not null)
        {
            await Server.DisposeAsync();
        }

        if (Keys is not null)
        {
            await Keys.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    internal Workspace Gpg(params string[] databases) => Workspace.ForContainer(Server.Name, Workspace.Gpg(Keys, Keys.Ops), databases);

    internal Workspace Plain(params string[] databases) => Workspace.ForContainer(Server.Name, "none", databases);
}

[CollectionDefinition("bad days")]
public sealed class BadDaysCollection : ICollectionFixture<BadDaysCluster>;

/// <summary>Another such server, for the tests that restore: beside those of the first.</summary>
[CollectionDefinition("bad restores")]
public sealed class BadRestoresCollection : ICollectionFixture<BadDaysCluster>;
