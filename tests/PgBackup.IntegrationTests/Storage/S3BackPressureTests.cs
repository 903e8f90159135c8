using PgBackup.Storage.S3;
using PgBackup.Streams;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>A slow store slows the dump; it does not fill the memory. Alone, because other tests need memory too.</summary>
[CollectionDefinition(nameof(S3BackPressureTests), DisableParallelization = true)]
[Collection(nameof(S3BackPressureTests))]
public sealed class S3BackPressureTests(RadosGateway gateway) : IAsyncLifetime
{
    private S3Site site = null!;

    public async ValueTask InitializeAsync() => site = await S3Site.NewAsync(gateway);

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Fact]
    public async Task An_upload_to_a_slow_store_takes_no_more_memory_than_it_may()
    {
        const long Size = 300L << 20;
        site.Proxy.On("PUT", "partNumber", new Fault { Name = "slow", BytesPerSecond = 25 << 20 }, FaultProxy.Always);
        S3Store store = site.Store();
        await store.PutAsync("one/warm", new GeneratedStream(PartMemory.BlockBytes, static () => { }), null, Cancel);
        long before = Resident();
        int lent = 0;
        long most = 0;

        (
            await store.PutAsync(
                "one/a",
                new GeneratedStream(
                    Size,
                    () =>
                    {
                        lent = Math.Max(lent, store.Memory.Lent);
                        most = Math.Max(most, Resident());
                    }
                ),
                null,
                Cancel
            )
        ).ShouldBe(Size);

        lent.ShouldBeInRange(PartMemory.Blocks - 1, PartMemory.Blocks);
        ((most - before) >> 20).ShouldBeLessThan(120);
        store.Memory.Lent.ShouldBe(0);
        (await store.FindAsync("one/a", Cancel)).ShouldNotBeNull().Size.ShouldBe(Size);
    }

    [Fact]
    public async Task Uploads_at_the_same_time_share_the_memory_and_all_get_through()
    {
        site.Proxy.On("PUT", "partNumber", new Fault { Name = "slow", BytesPerSecond = 25 << 20 }, FaultProxy.Always);
        S3Store store = site.Store();
        int lent = 0;

        long[] sizes = await Task.WhenAll(
            Enumerable
                .Range(0, 12)
                .Select(i =>
                    store.PutAsync(
                        $"one/{i}",
                        new GeneratedStream((PartMemory.BlockBytes * 3 / 2) + i, () => lent = Math.Max(lent, store.Memory.Lent)),
                        null,
                        Cancel
                    )
                )
        );

        sizes.Sum().ShouldBe((12L * PartMemory.BlockBytes * 3 / 2) + 66);
        lent.ShouldBeLessThanOrEqualTo(8);
        store.Memory.Lent.ShouldBe(0);
    }

    private static long Resident()
    {
        string pages = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return long.Parse(pages, System.Globalization.CultureInfo.InvariantCulture) * Environment.SystemPageSize;
    }

    private sealed class GeneratedStream(long size, Action reading) : ForwardStream
    {
        private long position;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            reading();
            int count = (int)Math.Min(Math.Min(buffer.Length, 1 << 20), size - position);
            buffer.Span[..count].Fill((byte)(position >> 20));
            position += count;
            return ValueTask.FromResult(count);
        }

        protected override ValueTask DisposeOnceAsync() => ValueTask.CompletedTask;
    }
}
