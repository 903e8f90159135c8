using PgBackup.Encryption;
using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Operations.Keys;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Tools;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Check;

/// <summary>The canary of a store with one snapshot, both encrypted by age; checked with and without the private key.</summary>
public sealed class CanaryCheckTests : IAsyncLifetime
{
    private readonly Stores stores = new();
    private string canary = "";
    private string recipient = "";
    private SnapshotSample sample = null!;

    public async ValueTask InitializeAsync()
    {
        await ToolProcess.ReadAsync(new ToolCommand("age-keygen", "--output", stores.Folder["key"]), Cancel);
        recipient = (await ToolProcess.ReadAsync(new ToolCommand("age-keygen", "-y", stores.Folder["key"]), Cancel)).Trim();
        var cipher = new AgeCipher([recipient], null, TimeProvider.System);
        sample = await (await Of(Day(22)).EncryptedAsync(cipher)).PutAsync(stores.Open("local"));
        Manifest manifest = sample.Manifest;
        await new KeysOperation([stores.Open("local")], stores.Clock).AfterRunAsync(manifest, cipher, Cancel);
        canary = "keys/" + KeysFolder.CanaryName(manifest.Recipients, ".age");
    }

    public ValueTask DisposeAsync()
    {
        stores.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_canary_as_it_was_written_is_right_and_so_is_one_of_an_earlier_version_without_a_digest(bool earlier)
    {
        if (earlier)
        {
            await MakeEarlierAsync();
        }

        (await CheckAsync(key: false)).StoreProblems.ShouldBeEmpty();
        (await CheckAsync(key: true)).StoreProblems.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_damaged_canary_is_found_without_a_key_by_the_digest_beside_it()
    {
        stores.Flip("local", canary);

        CheckReport report = await CheckAsync(key: false);

        StoreProblem problem = report.StoreProblems.ShouldHaveSingleItem();
        (problem.Store, problem.Object).ShouldBe(("local", canary));
        problem.Problem.ShouldStartWith("its SHA-256 is not the one that was written beside it");
        report.IsRight.ShouldBeFalse();
    }

    [Theory]
    [InlineData(".sha256", "", "it has no digest beside it")]
    [InlineData("", ".sha256", "the canary that it belongs to is missing")]
    public async Task One_that_is_missing_of_a_canary_and_its_digest_is_told_and_the_next_run_writes_both(
        string removed,
        string named,
        string told
    )
    {
        File.Delete(stores.PathOf("local", canary + removed));

        StoreProblem problem = (await CheckAsync(key: false)).StoreProblems.ShouldHaveSingleItem();

        problem.Object.ShouldBe(canary + named);
        problem.Problem.ShouldStartWith(told);
        await new KeysOperation([stores.Open("local")], stores.Clock).AfterRunAsync(
            sample.Manifest,
            new AgeCipher([recipient], null, TimeProvider.System),
            Cancel
        );
        (await CheckAsync(key: true)).StoreProblems.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("", "flipped")]
    [InlineData(".sha256", "flipped")]
    [InlineData("", "removed")]
    [InlineData(".sha256", "removed")]
    public async Task A_repair_removes_what_is_damaged_of_both_and_the_next_run_writes_them_anew(string of, string damage)
    {
        if (damage == "flipped")
        {
            stores.Flip("local", canary + of);
        }
        else
        {
            File.Delete(stores.PathOf("local", canary + of));
        }

        IReadOnlyList<StoreProblem> found = (await CheckAsync(key: false)).StoreProblems;
        StoreProblem mended = (
            await new CanaryRepair([Stores.Kept(stores.Open("local"))]).RunAsync(found, "here", Cancel)
        ).ShouldHaveSingleItem();

        mended.Mended.ShouldBe("removed, with its digest");
        Directory.GetFiles(stores.PathOf("local", "keys"), "canary-*").ShouldBeEmpty();
        (await CheckAsync(key: true)).StoreProblems.ShouldBeEmpty();
        await new KeysOperation([stores.Open("local")], stores.Clock).AfterRunAsync(
            sample.Manifest,
            new AgeCipher([recipient], null, TimeProvider.System),
            Cancel
        );
        Directory.GetFiles(stores.PathOf("local", "keys"), "canary-*").Length.ShouldBe(2);
        (await CheckAsync(key: true)).StoreProblems.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_repair_tells_when_it_may_not_remove_and_leaves_what_it_did_not_find_damaged()
    {
        stores.Flip("local", canary);
        FaultyStore store = stores.Faulty("local");
        store.Fail = static c =>
            c.StartsWith("delete", StringComparison.Ordinal) ? new PgBackupException(ErrorCode.StoreUnavailable, "it is locked") : null;
        StoreProblem unreadable = new()
        {
            Store = "local",
            Object = canary,
            Problem = "the connection broke",
        };

        IReadOnlyList<StoreProblem> after = await new CanaryRepair([Stores.Kept(store)]).RunAsync(
            [.. (await CheckAsync(key: false)).StoreProblems, unreadable],
            "here",
            Cancel
        );

        after.Select(static p => p.Mended).ShouldBe(["NOT REPAIRED: it is locked", null]);
    }

    [Fact]
    public async Task A_run_that_ends_between_a_canary_and_its_digest_leaves_none_of_another()
    {
        File.Delete(stores.PathOf("local", canary));
        FaultyStore store = stores.Faulty("local");
        store.Fail = c => c == $"put {canary}.sha256" ? new PgBackupException(ErrorCode.StoreUnavailable, "killed here") : null;
        var keys = new KeysOperation([store], stores.Clock);

        (await keys.AfterRunAsync(sample.Manifest, new AgeCipher([recipient], null, TimeProvider.System), Cancel)).ShouldContain(static n =>
            n.Text.Contains("killed here")
        );
        store.Fail = static _ => null;
        (await CheckAsync(key: false)).StoreProblems.ShouldHaveSingleItem().Problem.ShouldStartWith("it has no digest");
        await keys.AfterRunAsync(sample.Manifest, new AgeCipher([recipient], null, TimeProvider.System), Cancel);

        (await CheckAsync(key: true)).StoreProblems.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("flipped", "it cannot be decrypted")]
    [InlineData("another sentence", "decrypted, it is another text")]
    [InlineData("huge", "it is far too large for a canary")]
    public async Task A_canary_without_a_digest_is_decrypted_where_the_key_is_at_hand(string damage, string told)
    {
        await MakeEarlierAsync();
        switch (damage)
        {
            case "flipped":
                stores.Flip("local", canary);
                break;
            case "huge":
                await File.WriteAllBytesAsync(stores.PathOf("local", canary), new byte[70_000], Cancel);
                break;
            default:
                File.Delete(stores.PathOf("local", canary));
                await ToolProcess.ReadAsync(
                    new ToolCommand(
                        "age",
                        "--recipient",
                        recipient,
                        "--output",
                        stores.PathOf("local", canary),
                        stores.Folder.Write("sentence", "tweet")
                    ),
                    Cancel
                );
                break;
        }

        (await CheckAsync(key: true)).StoreProblems.ShouldHaveSingleItem().Problem.ShouldStartWith(told);
    }

    // Earlier versions wrote no digests.
    private async Task MakeEarlierAsync()
    {
        File.Delete(stores.PathOf("local", canary + ".sha256"));
        File.Delete(stores.PathOf("local", sample.Key(SnapshotLayout.ManifestSum)));
        await sample.WithoutDigests().PutAsync(stores.Open("local"));
    }

    // The parts are random bytes and no archives: what decoding says of them does not matter here.
    private Task<CheckReport> CheckAsync(bool key) =>
        new StoresCheck(
            [Stores.Kept(stores.Open("local"))],
            Cluster,
            stores.Clock,
            store => new CheckOperation(
                store,
                of => new AgeCipher(
                    [.. of.Recipients.Select(static r => r.Fingerprint)],
                    key ? new Identity { File = stores.Folder["key"] } : null,
                    TimeProvider.System
                ),
                static (_, _) => throw new PgBackupException(ErrorCode.ToolMissing, "there is no pg_restore here"),
                TimeProvider.System,
                new Progress()
            )
        ).RunAsync(null, CheckDepth.ReadData, Cancel);
}
