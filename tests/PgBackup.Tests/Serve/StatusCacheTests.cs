using System.Text;
using PgBackup.Operations.Status;
using PgBackup.Serve;
using PgBackup.Serve.Http;
using PgBackup.Tests.Notifications;

namespace PgBackup.Tests.Serve;

/// <summary>What monitors are told, and how old it may be.</summary>
public sealed class StatusCacheTests
{
    private readonly ManualClock clock = new(new DateTimeOffset(2026, 3, 1, 3, 0, 0, TimeSpan.Zero));
    private readonly List<string> said = [];
    private int readings;

    [Fact]
    public async Task The_stores_are_read_every_five_minutes_and_after_what_changed_them()
    {
        StatusCache cache = Cache();
        await LookAsync(cache);
        await LookAsync(cache);
        readings.ShouldBe(1);

        cache.Outdate();
        await LookAsync(cache);
        readings.ShouldBe(2);

        clock.Advance(TimeSpan.FromMinutes(5));
        await LookAsync(cache);
        readings.ShouldBe(3);
    }

    [Fact]
    public async Task A_reading_that_is_too_old_tells_nothing()
    {
        StatusCache cache = Cache();
        await LookAsync(cache);
        cache.Last.ShouldNotBeNull();

        clock.Advance(TimeSpan.FromMinutes(16));

        cache.Last.ShouldBeNull();
        HealthText.Of("olympus", cache.Last).Code.ShouldBe(503);
    }

    [Fact]
    public async Task A_reading_that_fails_is_said_and_tried_again()
    {
        var cache = new StatusCache(_ => throw new InvalidOperationException("no"), clock, said.Add);

        await LookAsync(cache);

        said.ShouldHaveSingleItem().ShouldContain("cannot be found out: InvalidOperationException: no");
        cache.Last.ShouldBeNull();
    }

    [Theory]
    [InlineData(StatusLevel.Green, 200)]
    [InlineData(StatusLevel.Yellow, 200)]
    [InlineData(StatusLevel.Red, 503)]
    [InlineData(StatusLevel.Unknown, 503)]
    public void Health_is_good_while_nothing_is_red(StatusLevel level, int code)
    {
        (int got, byte[] body) = HealthText.Of(
            "olympus",
            StatusSample.Of(level, Finding.Error(ErrorCode.SnapshotTooOld, "local", "it is \u001b[31mold")) with
            {
                Level = level,
            }
        );

        got.ShouldBe(code);
        Encoding.UTF8.GetString(body).ShouldContain($"\"level\":\"{level.Word()}\"");
        Encoding.UTF8.GetString(body).ShouldNotContain("\u001b");
    }

    private StatusCache Cache() =>
        new(
            _ =>
            {
                readings++;
                return Task.FromResult(StatusSample.Of(StatusLevel.Green) with { Time = clock.GetUtcNow() });
            },
            clock,
            said.Add
        );

    private static async Task LookAsync(StatusCache cache)
    {
        cache.Look();
        await cache.SettleAsync();
    }
}
