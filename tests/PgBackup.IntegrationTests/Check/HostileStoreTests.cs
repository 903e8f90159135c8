using System.Security.Cryptography;
using System.Text;
using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Check;

/// <summary>
/// Whoever can write to a store knows the public keys as well, and can put whole snapshots there. Restoring one gives the server away, and
/// must not give away the host, or the shell of the container that the tools run in.
/// </summary>
[Collection("bad days")]
public sealed class HostileStoreTests(BadDaysCluster cluster)
{
    private const string Marks = "/tmp/olympus-hostile-";

    [Fact]
    public async Task Commands_of_psql_in_stored_statements_are_never_carried_out()
    {
        await cluster.Server.SqlAsync("postgres", "CREATE DATABASE hostile");
        await cluster.Server.SqlAsync("postgres", $"COMMENT ON DATABASE hostile IS '{new string('c', 100)}'; CREATE ROLE hostile_role");
        try
        {
            using Workspace own = cluster.Plain("hostile");
            string id = await own.BackupAsync();
            Manifest manifest = own.Manifest(id);
            // The comment as it was, and then a command of psql in the same statement, of the same length.
            string written = $"IS '{new string('c', 100)}'";
            await RewriteAsync(
                own,
                id,
                manifest.Databases.Single(),
                script => script.Replace(written, $"IS 'x' \\! touch {Marks}database".PadRight(written.Length), StringComparison.Ordinal)
            );
            await RewriteAsync(
                own,
                id,
                manifest.Globals!,
                static script =>
                    script.Replace(
                        "CREATE ROLE hostile_role;",
                        $"CREATE ROLE hostile_role;\nCOMMENT ON ROLE hostile_role IS 'x' \\! touch {Marks}globals\n;",
                        StringComparison.Ordinal
                    )
            );
            await using PostgresContainer target = await PostgresContainer.StartAsync("hostile");

            Outcome restore = await own.RunAsync(1, "restore", id, "-t", target.Target, "--globals");
            Outcome alone = await own.RunAsync(1, "restore", id, "-t", target.Target, "-d", "hostile");

            restore.All.ShouldContain("syntax error at or near \"\\\"");
            alone.All.ShouldContain("syntax error at or near \"\\\"");
            (await target.ExecAsync("sh", "-c", $"ls {Marks}* 2>/dev/null")).Output.ShouldBeEmpty();
            Directory.GetFiles("/tmp", Path.GetFileName(Marks) + "*").ShouldBeEmpty();
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS hostile WITH (FORCE)");
            await cluster.Server.SqlAsync("postgres", "DROP ROLE IF EXISTS hostile_role");
        }
    }

    // Exchanges an object, and what the manifest says of it.
    private static async Task RewriteAsync(Workspace own, string id, Part part, Func<string, string> change)
    {
        string file = Path.Combine(own.SnapshotFolder(id), part.Object);
        byte[] before = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        byte[] after = Encoding.Latin1.GetBytes(change(Encoding.Latin1.GetString(before)));
        after.SequenceEqual(before).ShouldBeFalse();
        await File.WriteAllBytesAsync(file, after, TestContext.Current.CancellationToken);
        string manifest = Path.Combine(own.SnapshotFolder(id), SnapshotLayout.Manifest);
        await File.WriteAllTextAsync(
            manifest,
            (await File.ReadAllTextAsync(manifest, TestContext.Current.CancellationToken))
                .Replace(part.Sha256, Convert.ToHexStringLower(SHA256.HashData(after)), StringComparison.Ordinal)
                .Replace($"size\": {part.Size},", $"size\": {after.Length},", StringComparison.Ordinal),
            TestContext.Current.CancellationToken
        );
    }
}
