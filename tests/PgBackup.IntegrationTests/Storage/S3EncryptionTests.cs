using System.Security.Cryptography;
using PgBackup.Storage;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>A store that is relied on to encrypt says that it does, or gets nothing.</summary>
public sealed class S3EncryptionTests(RadosGateway gateway) : IAsyncLifetime
{
    private S3Site site = null!;

    public async ValueTask InitializeAsync() => site = await S3Site.NewAsync(gateway);

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Theory]
    [InlineData(1000)]
    [InlineData((2 * PartMemory.BlockBytes) + 1)]
    public async Task A_store_that_encrypts_with_a_key_of_its_own_is_believed(int size)
    {
        IObjectStore store = site.Store(change: static s =>
            s with
            {
                Encryption = "aws:kms",
                KmsKey = "testkey-1",
                RequireEncryption = true,
            }
        );
        byte[] content = RandomNumberGenerator.GetBytes(size);

        await store.CheckWritableAsync(Cancel);
        await store.PutAsync("one/a", new MemoryStream(content), Cancel);

        (await store.FindAsync("one/a", Cancel)).ShouldNotBeNull().ProviderEncryption.ShouldBe("aws:kms");
        (await AllOfAsync(await store.OpenAsync("one/a", Cancel))).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    [Fact]
    public async Task The_lost_answer_of_a_completion_is_no_failure_where_the_store_encrypts()
    {
        IObjectStore store = site.Store(change: static s =>
            s with
            {
                Encryption = "aws:kms",
                KmsKey = "testkey-1",
                RequireEncryption = true,
            }
        );
        byte[] content = RandomNumberGenerator.GetBytes(PartMemory.BlockBytes + 1);
        site.Proxy.On("POST", "uploadId=", Fault.CutAfterForward, FaultProxy.Always);

        await store.PutAsync("one/a", new MemoryStream(content), Cancel);

        (await AllOfAsync(await store.OpenAsync("one/a", Cancel))).AsSpan().SequenceEqual(content).ShouldBeTrue();
        (await site.EverythingAsync()).ShouldBe(["backups/one/a"]);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData((2 * PartMemory.BlockBytes) + 1)]
    public async Task A_store_that_ignores_what_it_is_asked_for_gets_nothing(int size)
    {
        // radosgw takes AES256 without a word, and does nothing.
        IObjectStore store = site.Store(change: static s => s with { Encryption = "AES256", RequireEncryption = true });

        foreach (
            Func<Task> attempt in (Func<Task>[])
                [() => store.PutAsync("one/a", new MemoryStream(new byte[size]), Cancel), () => store.CheckWritableAsync(Cancel)]
        )
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(attempt);

            error.Code.ShouldBe(ErrorCode.StoreNotEncrypting);
            error.Message.ShouldContain("offsite");
            error.Remedy.ShouldNotBeNull();
            (await site.EverythingAsync()).ShouldBeEmpty();
        }
    }

    [Fact]
    public async Task An_unknown_key_of_the_store_is_an_error_with_its_name()
    {
        IObjectStore store = site.Store(change: static s =>
            s with
            {
                Encryption = "aws:kms",
                KmsKey = "nobody's",
                RequireEncryption = true,
            }
        );

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.CheckWritableAsync(Cancel));

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, false), error.Message);
        error.Remedy.ShouldNotBeNull();
        (await site.EverythingAsync()).ShouldBeEmpty();
    }
}
