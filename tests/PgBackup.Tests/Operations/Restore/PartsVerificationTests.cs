using PgBackup.Encryption;
using PgBackup.Operations;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;
using PgBackup.Tools;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Restore;

/// <summary>What a restore finds out of the stored parts before it touches its target.</summary>
public sealed class PartsVerificationTests : IAsyncLifetime
{
    private readonly Stores stores = new();
    private FaultyStore store = null!;
    private SnapshotSample snapshot = null!;

    public async ValueTask InitializeAsync()
    {
        store = stores.Faulty("local");
        foreach (string who in (string[])["ops", "stranger"])
        {
            await ToolProcess.ReadAsync(new ToolCommand("age-keygen", "--output", stores.Folder[who]), Cancel);
        }

        string recipient = (await ToolProcess.ReadAsync(new ToolCommand("age-keygen", "-y", stores.Folder["ops"]), Cancel)).Trim();
        snapshot = await (await Of(Day(22)).EncryptedAsync(new AgeCipher([recipient], null, TimeProvider.System))).PutAsync(
            stores.Open("local")
        );
    }

    public ValueTask DisposeAsync()
    {
        stores.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task What_is_whole_and_decrypts_is_read_once()
    {
        await CheckAsync("ops");
        snapshot.Manifest.Parts.ShouldAllBe(p => store.Calls.Count(c => c == $"open {snapshot.Key(p.Object)}") == 1);
    }

    [Theory]
    [InlineData("ops")]
    [InlineData("stranger")]
    public async Task Everything_that_is_damaged_is_told_whatever_the_identity(string identity)
    {
        stores.Flip("local", snapshot.PartKey(1));
        stores.Cut("local", snapshot.PartKey(2));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => CheckAsync(identity));

        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldContain($"{snapshot.PartKey(1)}: its content was changed");
        error.Message.ShouldContain($"{snapshot.PartKey(2)}: it has ");
        error.Message.ShouldNotContain(snapshot.PartKey(0));
    }

    [Fact]
    public async Task With_a_wrong_identity_nothing_is_damaged_and_the_identity_is_wrong() =>
        (await Should.ThrowAsync<PgBackupException>(() => CheckAsync("stranger"))).Code.ShouldBe(ErrorCode.IdentityUnusable);

    [Fact]
    public async Task What_decrypts_to_something_else_than_was_dumped_is_told()
    {
        Part other = snapshot.Manifest.Parts[1];
        IReadOnlyList<StoredPart> parts =
        [
            new StoredPart(store, snapshot.Id, other with { PlainSha256 = snapshot.Manifest.Parts[0].PlainSha256 }),
        ];

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => CheckAsync("ops", parts));

        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldContain($"{snapshot.PartKey(1)}: decrypted, it is not what was dumped");
    }

    [Fact]
    public async Task Damage_that_the_store_itself_finds_is_told_beside_all_other()
    {
        store.Fail = call =>
            call == $"open {snapshot.PartKey(0)}" ? new PgBackupException(ErrorCode.ObjectDamaged, "other bytes than its ETag") : null;
        stores.Flip("local", snapshot.PartKey(2));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => CheckAsync("ops"));

        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldContain($"{snapshot.PartKey(0)}: other bytes than its ETag");
        error.Message.ShouldContain($"{snapshot.PartKey(2)}: its content was changed");
    }

    [Fact]
    public async Task A_store_that_fails_ends_the_others_and_is_the_reason()
    {
        store.Fail = call => call == $"open {snapshot.PartKey(2)}" ? new PgBackupException(ErrorCode.StoreUnavailable, "it is gone") : null;

        (await Should.ThrowAsync<PgBackupException>(() => CheckAsync("stranger"))).Code.ShouldBe(ErrorCode.StoreUnavailable);
    }

    private Task CheckAsync(string identity, IReadOnlyList<StoredPart>? parts = null) =>
        new PartsVerification(
            new Catalog(store, stores.Clock),
            new AgeCipher([], new Identity { File = stores.Folder[identity] }, TimeProvider.System),
            new Progress()
        ).RunAsync(snapshot.Id, parts ?? [.. snapshot.Manifest.Parts.Select(p => new StoredPart(store, snapshot.Id, p))], 2, Cancel);
}
