using PgBackup.Storage.S3;
using PgBackup.Tests.Tools;

namespace PgBackup.Tests.Storage.S3;

public sealed class S3LeaseTests
{
    [Fact]
    public async Task A_store_that_falls_silent_is_not_waited_for_when_the_lock_is_given_back()
    {
        using var silence = new ManualResetEventSlim();
        int reads = 0;
        var clock = new ManualClock(new DateTimeOffset(2026, 3, 22, 4, 0, 0, TimeSpan.Zero));
        // Free, taken, and then somebody else's: that is told, after the lock, which may be ours all the same, was to be given back.
        Answer Serve(string method, string path)
        {
            switch (method == "GET" ? ++reads : 0)
            {
                case 1:
                    return FakeS3.Error(404, "NoSuchKey");
                case 2:
                    return new Answer { Body = """{"holder":"another","nonce":"1"}""" };
                case > 2:
                    silence.Wait(Cancel);
                    return FakeS3.Error(404, "NoSuchKey");
                default:
                    return new Answer();
            }
        }

        await using var server = new FakeS3(Serve);
        using S3Store store = server.Store(clock: clock);
        try
        {
            Task taking = store.LockAsync("here", Cancel);
            await FakeTool.UntilAsync(() => Volatile.Read(ref reads) > 2);
            taking.IsCompleted.ShouldBeFalse();

            clock.Advance(TimeSpan.FromSeconds(20));

            PgBackupException error = await Should.ThrowAsync<PgBackupException>(taking);
            error.Code.ShouldBe(ErrorCode.AlreadyRunning);
            error.Message.ShouldContain("another");
        }
        finally
        {
            silence.Set();
        }
    }
}
