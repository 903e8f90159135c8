using PgBackup.Operations;

namespace PgBackup.Tests.Operations;

public sealed class WorkersTests
{
    [Fact]
    public async Task Whoever_comes_first_gets_what_is_free_and_wanted_and_the_next_what_is_given_back()
    {
        var workers = new Workers(2);
        (await workers.TakeAsync(2, Cancel)).ShouldBe(2);
        Task<int> large = workers.TakeAsync(2, Cancel);
        Task<int> small = workers.TakeAsync(1, Cancel);
        (large.IsCompleted, small.IsCompleted).ShouldBe((false, false));

        workers.Return(1);
        (await large).ShouldBe(1, "one that works is better than two that are waited for");
        small.IsCompleted.ShouldBeFalse();

        workers.Return(1);
        (await small).ShouldBe(1);
        workers.Return(1);
        workers.Return(1);
        (await workers.TakeAsync(8, Cancel)).ShouldBe(2, "nobody has lost or made one");
    }

    [Fact]
    public async Task Whoever_gives_up_takes_none_with_him()
    {
        var workers = new Workers(1);
        await workers.TakeAsync(1, Cancel);
        using var cancel = new CancellationTokenSource();
        Task<int> leaver = workers.TakeAsync(1, cancel.Token);
        Task<int> next = workers.TakeAsync(1, Cancel);

        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => leaver);
        workers.Return(1);

        (await next).ShouldBe(1);
    }
}
