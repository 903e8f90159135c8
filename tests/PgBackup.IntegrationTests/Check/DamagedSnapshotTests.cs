using PgBackup.Snapshots;

namespace PgBackup.IntegrationTests.Check;

/// <summary>What somebody, or a disk, did to a store.</summary>
[Collection("bad days")]
public sealed class DamagedSnapshotTests(BadDaysCluster cluster)
{
    [Theory]
    [InlineData("flipped", "none")]
    [InlineData("flipped", "gpg")]
    [InlineData("cut", "none")]
    [InlineData("cut", "gpg")]
    [InlineData("deleted", "none")]
    [InlineData("swapped", "gpg")]
    public async Task A_damaged_object_is_found_by_check_and_by_restore_before_the_target_is_touched(string damage, string encryption)
    {
        using Workspace own = encryption == "gpg" ? cluster.Gpg("small", "tiny") : cluster.Plain("small", "tiny");
        string id = await own.BackupAsync();
        string file = own.PartFile(id, "small");
        byte[] bytes = await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken);
        switch (damage)
        {
            case "flipped":
                bytes[bytes.Length / 2] ^= 1;
                await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);
                break;
            case "cut":
                await File.WriteAllBytesAsync(file, bytes[..^100], TestContext.Current.CancellationToken);
                break;
            case "deleted":
                File.Delete(file);
                break;
            default:
                string other = own.PartFile(id, "tiny");
                File.Move(file, file + ".x");
                File.Move(other, file);
                File.Move(file + ".x", other);
                break;
        }

        Outcome check = await own.RunAsync(1, "check", "--read-data");
        check.Output.ShouldContain("DAMAGED");
        check.Output.ShouldContain(Path.GetFileName(file));
        if (damage is not "flipped")
        {
            (await own.RunAsync(1, "check")).Output.ShouldContain(Path.GetFileName(file));
        }

        string[] identity = encryption == "gpg" ? ["-i", cluster.Keys.OpsSecret] : [];
        Outcome restore = await own.RunAsync(1, ["restore", "-t", cluster.Server.Target, "-d", "small", "--as", "never", .. identity]);
        restore.Errors.ShouldContain("PGB-0065");
        restore.Errors.ShouldContain(Path.GetFileName(file));
        (await cluster.Server.DatabasesAsync()).ShouldNotContain("never");
    }

    [Fact]
    public async Task An_undamaged_database_of_a_damaged_snapshot_can_still_be_restored()
    {
        using Workspace own = cluster.Plain("small", "tiny");
        string id = await own.BackupAsync();
        File.Delete(own.PartFile(id, "small"));
        await own.RunAsync(0, "restore", "-t", cluster.Server.Target, "-d", "tiny", "--as", "tiny again");
        (await cluster.Server.SqlAsync("tiny again", "SELECT v FROM t")).ShouldBe("one row\n");
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE \"tiny again\"");
    }

    [Theory]
    [InlineData("garbage", "PGB-0063")]
    [InlineData("half", "PGB-0063")]
    [InlineData("of another snapshot", "PGB-0063")]
    [InlineData("newer", "PGB-0064")]
    public async Task A_manifest_that_cannot_be_read_is_shown_and_never_restored_nor_removed(string kind, string code)
    {
        using Workspace own = cluster.Plain("tiny");
        string good = await own.BackupAsync();
        string bad = await own.BackupAsync();
        string file = Path.Combine(own.SnapshotFolder(bad), SnapshotLayout.Manifest);
        string text = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            file,
            kind switch
            {
                "garbage" => "{ this is no json",
                "half" => text[..(text.Length / 2)],
                "newer" => text.Replace("\"format\": 1", "\"format\": 99", StringComparison.Ordinal),
                _ => text.Replace(bad, good, StringComparison.Ordinal),
            },
            TestContext.Current.CancellationToken
        );

        Outcome list = await own.RunAsync(0, "list");
        list.Output.Split('\n').Single(l => l.StartsWith(bad, StringComparison.Ordinal)).ShouldContain(code);
        (await own.RunAsync(1, "show", bad)).Errors.ShouldContain(code);
        (await own.RunAsync(1, "check", "--all")).Output.ShouldContain(bad);
        (await own.RunAsync(1, "restore", bad, "-t", cluster.Server.Target, "-d", "tiny", "--as", "never")).Errors.ShouldContain(code);
        (await own.RunAsync(0, "show", "latest")).Output.ShouldContain(good);
        (await cluster.Server.DatabasesAsync()).ShouldNotContain("never");

        IReadOnlyDictionary<string, string> before = own.Contents();
        await own.BackupAsync();
        IReadOnlyDictionary<string, string> after = own.Contents();
        before.Keys.ShouldAllBe(f => after.ContainsKey(f) && after[f] == before[f]);
    }

    [Fact]
    public async Task What_is_restored_must_equal_the_proof_to_the_last_digit()
    {
        using Workspace own = cluster.Plain("small");
        string id = await own.BackupAsync();
        string digest = own.Manifest(id).Databases.Single().Proof.Tables.Single(static t => t.Key.Contains("secret")).Value.Digest;
        string file = Path.Combine(own.SnapshotFolder(id), SnapshotLayout.Manifest);
        string other = digest[..^1] + (digest[^1] == '0' ? '1' : '0');
        await File.WriteAllTextAsync(
            file,
            (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Replace(digest, other, StringComparison.Ordinal),
            TestContext.Current.CancellationToken
        );
        try
        {
            Outcome restore = await own.RunAsync(1, "restore", "-t", cluster.Server.Target, "-d", "small", "--as", "suspect");
            restore.Output.ShouldContain("restore FAILED");
            restore.Output.ShouldContain("secret");
            restore.Output.ShouldContain("DROP DATABASE \"suspect\"");
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", "DROP DATABASE IF EXISTS suspect");
        }
    }
}
