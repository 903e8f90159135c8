using Amazon.S3.Model;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>What a store lists, sweeps and removes, and that nothing outside of its prefix is touched.</summary>
public sealed class S3FolderTests(RadosGateway gateway) : IAsyncLifetime
{
    private S3Site site = null!;

    public async ValueTask InitializeAsync() => site = await S3Site.NewAsync(gateway);

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Fact]
    public async Task A_sweep_aborts_old_unfinished_uploads_below_its_own_prefix()
    {
        await BeginAsync("backups/one/a", "backups-2/one/a", "one/a");
        IObjectStore store = site.Store();

        (await store.SweepAsync(DateTimeOffset.UtcNow.AddHours(-1), Cancel)).ShouldBe(0, "they are young");
        (await site.EverythingAsync()).Count.ShouldBe(3);
        (await store.SweepAsync(DateTimeOffset.UtcNow.AddHours(1), Cancel)).ShouldBe(1);

        (await site.EverythingAsync()).ShouldBe(["unfinished backups-2/one/a", "unfinished one/a"]);
    }

    [Fact]
    public async Task A_sweep_is_not_disturbed_by_another_that_is_faster()
    {
        await BeginAsync("backups/one/a", "backups/one/b");
        site.Proxy.On("DELETE", "backups/one/a", Fault.AnswerError(404, "NoSuchUpload"));

        await site.Store().SweepAsync(DateTimeOffset.UtcNow.AddHours(1), Cancel);

        (await site.EverythingAsync()).ShouldBe(["unfinished backups/one/a"]);
    }

    [Fact]
    public async Task A_folder_is_removed_with_its_unfinished_uploads_and_no_other_is()
    {
        await BeginAsync("backups/one/a", "backups/one-more/a", "one/a");
        await site.PutAsync("backups/one/b", "x");
        await site.PutAsync("backups/one/", "");
        await site.PutAsync("backups/one-more/b", "x");
        await site.PutAsync("one/b", "x");

        await site.Store().DeleteFolderAsync("one", Cancel);

        (await site.EverythingAsync()).ShouldBe(["backups/one-more/b", "one/b", "unfinished backups/one-more/a", "unfinished one/a"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("backups")]
    public async Task Hidden_objects_and_folders_of_a_console_are_not_listed_nor_is_what_lies_outside(string prefix)
    {
        string inside = prefix.Length == 0 ? "" : prefix + "/";
        foreach (string key in (string[])["one/a", "two/deep/b", ".hidden", "one/.hidden", ".folder/c", "", "one/"])
        {
            if (inside.Length + key.Length > 0)
            {
                await site.PutAsync(inside + key, "");
            }
        }

        if (prefix.Length > 0)
        {
            await site.PutAsync(prefix + "-2/one/c", "");
            await site.PutAsync(prefix, "");
        }

        (await ListAsync(site.Store(prefix), "")).ShouldBe(["one/a", "two/deep/b"]);
        (await ListAsync(site.Store(prefix), "one")).ShouldBe(["one/a"]);
        (await ListAsync(site.Store(prefix), "on")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_and_a_half_thousand_objects_are_listed_in_three_requests_and_removed()
    {
        await Parallel.ForAsync(
            0,
            2500,
            new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = Cancel },
            async (i, _) => await site.PutAsync($"backups/one/{i:0000}", "x")
        );

        (await ListAsync(site.Store(), "one")).ShouldBe(Enumerable.Range(0, 2500).Select(static i => $"one/{i:0000}"));

        site.Proxy.Count("GET").ShouldBe(3);
        site.Proxy.Requests.Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_listing_that_breaks_off_is_an_error_and_not_a_short_list()
    {
        await site.PutAsync("backups/one/a", "x");
        site.Proxy.On("GET", "list-type=2", Fault.CutInResponse(200), FaultProxy.Always);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => ListAsync(site.Store(), ""));

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, true), error.Message);
    }

    private static async Task<List<string>> ListAsync(S3Store store, string folder)
    {
        List<string> keys = [];
        await foreach (StoredObject one in store.ListAsync(folder, Cancel))
        {
            keys.Add(one.Key);
        }

        return [.. keys.Order(StringComparer.Ordinal)];
    }

    private async Task BeginAsync(params string[] keys)
    {
        foreach (string key in keys)
        {
            string upload = (
                await site.Client.InitiateMultipartUploadAsync(
                    new InitiateMultipartUploadRequest { BucketName = site.Bucket, Key = key },
                    Cancel
                )
            ).UploadId;
            await site.Client.UploadPartAsync(
                new UploadPartRequest
                {
                    BucketName = site.Bucket,
                    Key = key,
                    UploadId = upload,
                    PartNumber = 1,
                    InputStream = new MemoryStream([1]),
                    UseChunkEncoding = false,
                },
                Cancel
            );
        }
    }
}
