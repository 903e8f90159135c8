using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>The memory of uploads is bounded, and everybody gets their turn.</summary>
public sealed class S3PartMemoryTests
{
    private readonly PartMemory memory = new();

    [Fact]
    public async Task All_blocks_are_lent_and_who_wants_one_more_waits_for_one_of_them()
    {
        List<PartContent> lent = await RentAsync(PartMemory.Blocks);

        Task<PartContent> more = memory.RentAsync(1, Cancel);
        more.IsCompleted.ShouldBeFalse();
        lent[3].Dispose();

        (await more.WaitAsync(TimeSpan.FromSeconds(10), Cancel)).ShouldNotBeNull();
        memory.Lent.ShouldBe(PartMemory.Blocks);
    }

    [Fact]
    public async Task Who_came_first_is_served_first_even_where_it_wants_more()
    {
        List<PartContent> lent = await RentAsync(PartMemory.Blocks);
        Task<PartContent> large = memory.RentAsync(3, Cancel);
        Task<PartContent> small = memory.RentAsync(1, Cancel);

        lent.Take(2).ToList().ForEach(static p => p.Dispose());
        (large.IsCompleted, small.IsCompleted).ShouldBe((false, false));
        lent[2].Dispose();
        await large.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        small.IsCompleted.ShouldBeFalse();
        lent[3].Dispose();

        await small.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
    }

    [Fact]
    public async Task Who_gives_up_waiting_holds_up_nobody()
    {
        List<PartContent> lent = await RentAsync(PartMemory.Blocks);
        using var stop = new CancellationTokenSource();
        Task<PartContent> large = memory.RentAsync(PartMemory.Blocks, stop.Token);
        Task<PartContent> small = memory.RentAsync(1, Cancel);

        lent[0].Dispose();
        small.IsCompleted.ShouldBeFalse();
        await stop.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => large);
        await small.WaitAsync(TimeSpan.FromSeconds(10), Cancel);
        memory.Lent.ShouldBe(PartMemory.Blocks);
    }

    [Fact]
    public async Task A_part_that_is_larger_than_all_of_it_gets_it_alone()
    {
        List<PartContent> lent = await RentAsync(1);
        Task<PartContent> huge = memory.RentAsync(PartMemory.Blocks + 1, Cancel);
        huge.IsCompleted.ShouldBeFalse();
        lent[0].Dispose();
        PartContent alone = await huge.WaitAsync(TimeSpan.FromSeconds(10), Cancel);

        Task<PartContent> next = memory.RentAsync(1, Cancel);
        next.IsCompleted.ShouldBeFalse();
        alone.Dispose();

        (await next.WaitAsync(TimeSpan.FromSeconds(10), Cancel)).Dispose();
        memory.Lent.ShouldBe(0);
    }

    [Fact]
    public async Task What_is_given_back_twice_counts_once()
    {
        List<PartContent> lent = await RentAsync(2);

        lent[0].Dispose();
        lent[0].Dispose();

        memory.Lent.ShouldBe(1);
    }

    [Fact]
    public async Task A_part_of_several_blocks_is_read_as_it_was_filled()
    {
        byte[] content = new byte[PartMemory.BlockBytes + 1000];
        new Random(1).NextBytes(content);
        using PartContent part = await memory.RentAsync(2, Cancel);

        await part.FillAsync(new MemoryStream(content), Cancel);

        (part.Size, part.IsFull).ShouldBe((content.Length, false));
        (await AllOfAsync(part.Open())).AsSpan().SequenceEqual(content).ShouldBeTrue();
    }

    private async Task<List<PartContent>> RentAsync(int count)
    {
        List<PartContent> lent = [];
        for (int i = 0; i < count; i++)
        {
            lent.Add(await memory.RentAsync(1, Cancel).WaitAsync(TimeSpan.FromSeconds(10), Cancel));
        }

        return lent;
    }
}
