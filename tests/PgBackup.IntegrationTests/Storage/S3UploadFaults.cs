using System.Security.Cryptography;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>An upload through a proxy, and the only two ways in which it may end.</summary>
public abstract class S3UploadFaults(RadosGateway gateway) : IAsyncLifetime
{
    /// <summary>Bytes of an object in three parts.</summary>
    protected const int Parts = (2 * PartMemory.BlockBytes) + 17;

    private S3Site site = null!;
    private IObjectStore store = null!;

    private protected S3Site Site => site;

    private protected IObjectStore Store => store;

    public async ValueTask InitializeAsync()
    {
        site = await S3Site.NewAsync(gateway);
        store = site.Store();
    }

    public async ValueTask DisposeAsync()
    {
        await site.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected async Task StoredAsync(int size, IObjectStore? other = null)
    {
        byte[] content = RandomNumberGenerator.GetBytes(size);

        (await (other ?? store).PutAsync("one/a", new MemoryStream(content), Cancel)).ShouldBe(size);

        (await site.BytesAsync("backups/one/a")).AsSpan().SequenceEqual(content).ShouldBeTrue();
        (await site.EverythingAsync()).ShouldBe(["backups/one/a"]);
    }

    private protected async Task<PgBackupException> FailedAsync(int size, bool transient = true)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            store.PutAsync("one/a", new MemoryStream(new byte[size]), Cancel)
        );

        error.Code.ShouldBe(ErrorCode.StoreUnavailable, error.Message);
        error.IsTransient.ShouldBe(transient, error.Message);
        error.Message.ShouldContain("offsite");
        error.Remedy.ShouldNotBeNullOrEmpty();
        (await site.EverythingAsync()).ShouldBeEmpty();
        return error;
    }
}
