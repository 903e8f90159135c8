using System.Security.Cryptography;
using PgBackup.Streams;

namespace PgBackup.Tests.Streams;

public sealed class ExpectedStreamTests
{
    private static readonly byte[] Right = RandomNumberGenerator.GetBytes(1000);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public async Task What_is_right_passes_through_to_its_end(int size)
    {
        byte[] bytes = Right[..size];
        await using ExpectedStream stream = Expecting(bytes, bytes);

        byte[] read = await ReadAsync(stream, 300);

        read.ShouldBe(bytes);
        stream.BytesRead.ShouldBe(size);
        (await stream.ReadAsync(new byte[10], Cancel)).ShouldBe(0, "and the end stays the end");
    }

    [Theory]
    [InlineData(0, "it has 0 bytes, and should have 1000")]
    [InlineData(999, "it has 999 bytes, and should have 1000")]
    public async Task What_is_short_throws_at_its_end(int size, string why)
    {
        await using ExpectedStream stream = Expecting(Right, Right[..size]);

        await ShouldBeDamagedAsync(stream, why);
    }

    [Fact]
    public async Task What_is_long_throws_as_soon_as_it_is()
    {
        await using var stream = new ExpectedStream(new EndlessStream(), 1000, new string('0', 64), "ID/part in the store offsite");

        await ShouldBeDamagedAsync(stream, "it has more bytes than the 1000 that it should have");
    }

    [Fact]
    public async Task One_byte_too_many_is_damage_though_the_digest_of_the_others_is_right()
    {
        await using ExpectedStream stream = Expecting(Right, [.. Right, 0]);

        await ShouldBeDamagedAsync(stream, "it has more bytes than the 1000 that it should have");
    }

    [Fact]
    public async Task What_was_changed_throws_at_its_end_and_again_when_asked_again()
    {
        byte[] changed = [.. Right];
        changed[500] ^= 1;
        await using ExpectedStream stream = Expecting(Right, changed);

        await ShouldBeDamagedAsync(stream, "its content was changed");
        await ShouldBeDamagedAsync(stream, "its content was changed");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(999)]
    [InlineData(1000)]
    public async Task A_read_for_nothing_is_not_the_end(int size)
    {
        byte[] changed = [.. Right];
        changed[0] ^= 1;
        await using ExpectedStream wrong = Expecting(Right, size == 1000 ? changed : Right[..size]);
        await using ExpectedStream right = Expecting(Right, Right);
        byte[] buffer = new byte[1000];
        foreach (ExpectedStream stream in (ExpectedStream[])[wrong, right])
        {
            (await stream.ReadAsync(Memory<byte>.Empty, Cancel)).ShouldBe(0);
            await stream.ReadAtLeastAsync(buffer, size, cancellationToken: Cancel);
            (await stream.ReadAsync(Memory<byte>.Empty, Cancel)).ShouldBe(0);
        }

        await ShouldBeDamagedAsync(wrong, "");
        while (await right.ReadAsync(buffer, Cancel) > 0)
        {
            // to its end, which does not throw
        }
    }

    private static ExpectedStream Expecting(byte[] expected, byte[] given) =>
        new(new MemoryStream(given), expected.Length, Convert.ToHexStringLower(SHA256.HashData(expected)), "ID/part in the store offsite");

    private static async Task ShouldBeDamagedAsync(ExpectedStream stream, string why)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => ReadAsync(stream, 300));
        error.Code.ShouldBe(ErrorCode.ObjectDamaged);
        error.Message.ShouldStartWith("ID/part in the store offsite is damaged: " + why);
        error.Remedy.ShouldNotBeNull();
    }

    private static async Task<byte[]> ReadAsync(Stream stream, int atOnce)
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[atOnce];
        int count;
        while ((count = await stream.ReadAsync(buffer, Cancel)) > 0)
        {
            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }

    private sealed class EndlessStream : ForwardStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(buffer.Length);

        protected override ValueTask DisposeOnceAsync() => ValueTask.CompletedTask;
    }
}
