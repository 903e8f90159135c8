using PgBackup.Operations;
using PgBackup.Operations.Prune;
using PgBackup.Retention;
using PgBackup.Snapshots;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Prune;

public sealed partial class PruneTests : IDisposable
{
    private static readonly RetentionRules ThreeDays = new() { All = RetentionLength.Of(3, RetentionUnit.Days) };

    private readonly Stores stores = new();
    private readonly FaultyStore store;
    private readonly List<string> log = [];
    private RetentionRules keep = ThreeDays;

    public PruneTests() => store = stores.Faulty("local");

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task Exactly_the_plan_of_the_dry_run_is_carried_out_and_a_second_time_nothing()
    {
        keep = new RetentionRules { All = RetentionLength.Of(3, RetentionUnit.Days), Weekly = RetentionLength.Of(2, RetentionUnit.Weeks) };
        foreach (int day in Enumerable.Range(8, 15))
        {
            await Of(Day(day), complete: day != 21).PutAsync(stores.Open("local"), pin: day == 10 ? "the audit" : null, proven: day == 12);
        }

        foreach (string name in (string[])["keys/canary-0123456789ab.gpg", "keys/tested-AAAA-20200301T030000Z.json"])
        {
            await stores.Open("local").PutAsync(name, new MemoryStream([1]), null, Cancel);
            File.SetLastWriteTimeUtc(stores.PathOf("local", name), new DateTime(2020, 3, 1, 0, 0, 0, DateTimeKind.Utc));
        }

        SortedDictionary<string, string> before = stores.Contents("local");
        PruneReport dry = await PruneAsync(dryRun: true);
        stores.Contents("local").ShouldBe(before, "a dry run changes nothing");
        store.Calls.ShouldNotContain("lock");
        store.Writes.ShouldBe(0);

        PruneReport real = await PruneAsync();

        Told(real).ShouldBe(Told(dry));
        Told(dry)
            .ShouldBe([
                "20260308T030000Z: nothing keeps it",
                "20260309T030000Z: weekly until 2026-03-23",
                "20260310T030000Z: pinned",
                "20260311T030000Z: nothing keeps it",
                "20260312T030000Z: the newest proven one",
                "20260313T030000Z: nothing keeps it",
                "20260314T030000Z: nothing keeps it",
                "20260315T030000Z: nothing keeps it",
                "20260316T030000Z: weekly until 2026-03-30",
                "20260317T030000Z: nothing keeps it",
                "20260318T030000Z: nothing keeps it",
                "20260319T030000Z: nothing keeps it",
                "20260320T030000Z: all until 2026-03-23",
                "20260321T030000Z: all until 2026-03-24",
                "20260322T030000Z: all until 2026-03-25; the newest complete one; the newest one",
            ]);
        real.Removed.ShouldBe(dry.Plan.Removed.Select(static d => d.Snapshot.Id.ToString()));
        (await Listed()).ShouldBe(dry.Plan.Kept.Select(static d => d.Snapshot.Id));
        stores.Contents("local").ShouldBe(before.Where(pair => real.Removed.All(id => !pair.Key.StartsWith(id, StringComparison.Ordinal))));

        int writes = store.Writes;
        PruneReport second = await PruneAsync();
        (second.Removed.Count, second.Swept, store.Writes).ShouldBe((0, 0, writes));
    }

    [Fact]
    public async Task The_newest_complete_and_the_newest_proven_stay_and_incomplete_ones_do_not_displace_them()
    {
        keep = new RetentionRules { All = RetentionLength.Of(1, RetentionUnit.Hours), Daily = RetentionLength.Of(1, RetentionUnit.Days) };
        await Of(Day(5)).PutAsync(stores.Open("local"), proven: true);
        await Of(Day(6)).PutAsync(stores.Open("local"));
        await Of(Day(7)).PutAsync(stores.Open("local"));
        await Of(Day(20), complete: false).PutAsync(stores.Open("local"), proven: true);
        await Of(Day(21, 2), complete: false).PutAsync(stores.Open("local"));
        await Of(Day(21, 23), complete: false).PutAsync(stores.Open("local"));

        PruneReport report = await PruneAsync();

        report.Removed.ShouldBe([Day(6).ToString(), Day(20).ToString(), Day(21, 2).ToString()]);
        (await Listed()).ShouldBe([Day(5), Day(7), Day(21, 23)]);
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_read_keeps_its_snapshot_and_the_plan_is_made_again()
    {
        keep = new RetentionRules { All = RetentionLength.Of(1, RetentionUnit.Days), Daily = RetentionLength.Of(30, RetentionUnit.Days) };
        foreach ((int day, int hour) in ((int, int)[])[(5, 1), (5, 2), (5, 3), (22, 3)])
        {
            await Of(Day(day, hour)).PutAsync(stores.Open("local"));
        }

        stores.Cut("local", Of(Day(5, 2)).Key(SnapshotLayout.Manifest));
        PruneReport dry = await PruneAsync(dryRun: true);

        PruneReport report = await PruneAsync();

        Told(report).ShouldBe(Told(dry));
        Told(report)[1].ShouldBe("20260305T020000Z: its manifest cannot be read");
        report.Removed.ShouldBe([Day(5, 3).ToString()]);
    }

    [Fact]
    public async Task A_snapshot_that_only_its_manifest_calls_incomplete_fills_no_bucket_once_that_is_known()
    {
        // Neither would be kept by names alone; the plan is the same whatever stands in the manifests of those that go.
        await Of(Day(5), complete: false).PutAsync(stores.Open("local"));
        File.Delete(stores.PathOf("local", Of(Day(5)).Key(SnapshotLayout.Incomplete)));
        await Of(Day(6)).PutAsync(stores.Open("local"));
        await Of(Day(22)).PutAsync(stores.Open("local"));

        (await PruneAsync()).Removed.ShouldBe([Day(5).ToString(), Day(6).ToString()]);
    }

    [Theory]
    [InlineData("missing", "it is missing")]
    [InlineData("cut", "it has 350 bytes, and should have 700")]
    [InlineData("manifest", "cannot be read")]
    [InlineData("unmarked", "by its manifest it is incomplete")]
    public async Task Nothing_is_removed_when_the_newest_complete_snapshot_is_not_what_it_should_be(string damage, string why)
    {
        await Of(Day(5)).PutAsync(stores.Open("local"));
        await Of(Day(6)).PutAsync(stores.Open("local"));
        SnapshotSample newest = await Of(Day(22), complete: damage != "unmarked").PutAsync(stores.Open("local"));
        switch (damage)
        {
            case "missing":
                File.Delete(stores.PathOf("local", newest.PartKey(1)));
                break;
            case "cut":
                stores.Cut("local", newest.PartKey(1));
                break;
            case "manifest":
                stores.Cut("local", newest.Key(SnapshotLayout.Manifest));
                break;
            default:
                File.Delete(stores.PathOf("local", newest.Key(SnapshotLayout.Incomplete)));
                break;
        }

        (await WithheldAsync()).Message.ShouldContain(why);
    }

    [Theory]
    [InlineData(4, 3, true)]
    [InlineData(4, 4, false)]
    [InlineData(3, 0, false)]
    public async Task Unattended_more_than_half_and_more_than_three_do_not_go(int old, int young, bool withheld)
    {
        foreach (int day in Enumerable.Range(5, old))
        {
            await Of(Day(day)).PutAsync(stores.Open("local"));
        }

        foreach (int hour in Enumerable.Range(0, young))
        {
            await Of(Day(21, hour)).PutAsync(stores.Open("local"));
        }

        if (withheld)
        {
            PgBackupException error = await WithheldAsync(unattended: true);
            error.Message.ShouldContain("4 of 7 snapshots would be removed at once");
            (await PruneAsync()).Removed.Count.ShouldBe(4, "when somebody has seen the plan");
        }
        else
        {
            (await PruneAsync(unattended: true)).Removed.Count.ShouldBe(young == 0 ? old - 1 : old);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(-2)]
    public async Task Nothing_is_removed_when_the_stores_clock_is_hours_away(int hours)
    {
        await Of(Day(5)).PutAsync(stores.Open("local"));
        await Of(Day(22)).PutAsync(stores.Open("local"));
        store.ClockIsAhead = TimeSpan.FromHours(hours);

        (await WithheldAsync()).Message.ShouldContain("2.0 hours apart");

        store.ClockIsAhead = TimeSpan.FromMinutes(hours);
        (await PruneAsync()).Removed.ShouldBe([Day(5).ToString()]);
        stores.Contents("local").ShouldBe(stores.Contents("local", Day(22)), "nothing of the test of the clock stays");
    }

    [Fact]
    public async Task What_the_store_has_locked_stays_until_the_lock_ends()
    {
        foreach (int day in (int[])[5, 6, 22])
        {
            await Of(Day(day)).PutAsync(stores.Open("local"));
        }

        DateTimeOffset until = stores.Clock.Now.AddDays(1);
        store.LockedUntil = key => key == Of(Day(5)).Key(SnapshotLayout.Manifest) ? until : null;

        PruneReport report = await PruneAsync(locks: true);

        Told(report)[0].ShouldBe("20260305T030000Z: locked until 2026-03-23");
        report.Removed.ShouldBe([Day(6).ToString()]);
        stores.Clock.Now = until;
        (await PruneAsync(locks: true)).Removed.ShouldBe([Day(5).ToString()]);
    }

    [Fact]
    public async Task A_store_in_which_another_run_works_is_left_alone()
    {
        await Of(Day(5)).PutAsync(stores.Open("local"));
        await Of(Day(22)).PutAsync(stores.Open("local"));
        SortedDictionary<string, string> before = stores.Contents("local");
        await using (await stores.Open("local").LockAsync("somebody else", Cancel))
        {
            (await Should.ThrowAsync<PgBackupException>(() => PruneAsync())).Code.ShouldBe(ErrorCode.AlreadyRunning);
        }

        stores.Contents("local").ShouldBe(before);
        (await PruneAsync()).Removed.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_lock_that_is_lost_ends_it_between_two_snapshots()
    {
        foreach (int day in (int[])[5, 6, 22])
        {
            await Of(Day(day)).PutAsync(stores.Open("local"));
        }

        store.Block = (call, _) =>
        {
            store.LosesLock |= call == $"delete-folder {Day(5)}";
            return Task.CompletedTask;
        };

        (await Should.ThrowAsync<PgBackupException>(() => PruneAsync())).Code.ShouldBe(ErrorCode.AlreadyRunning);

        (await Listed()).ShouldBe([Day(6), Day(22)]);
        store.Calls.ShouldNotContain("sweep");
    }

    [Fact]
    public async Task A_mark_is_put_first_then_the_manifest_goes_then_the_parts_and_the_mark_last()
    {
        SnapshotSample old = await Of(Day(5)).PutAsync(stores.Open("local"));
        await Of(Day(22)).PutAsync(stores.Open("local"));

        await PruneAsync();

        List<string> writes =
        [
            .. store.Calls.Where(c =>
                c.Contains(old.Id.ToString(), StringComparison.Ordinal)
                && !c.StartsWith("open", StringComparison.Ordinal)
                && !c.StartsWith("list", StringComparison.Ordinal)
            ),
        ];
        writes[0].ShouldBe($"put {old.Key(SnapshotLayout.InProgress)}");
        writes[1].ShouldBe($"delete {old.Key(SnapshotLayout.Manifest)}");
        writes[^1].ShouldBe($"delete-folder {old.Id}");
        writes[2..^1].ShouldAllBe(static c => c.StartsWith("delete ", StringComparison.Ordinal));
        writes[2..^1].ShouldNotContain($"delete {old.Key(SnapshotLayout.InProgress)}");
        writes.Count.ShouldBe(3 + 6);
    }

    [Fact]
    public async Task A_snapshot_that_is_pinned_after_it_was_listed_stays()
    {
        SnapshotSample old = await Of(Day(5)).PutAsync(stores.Open("local"));
        await Of(Day(22)).PutAsync(stores.Open("local"));
        store.Block = async (call, _) =>
        {
            if (call == $"put {old.Key(SnapshotLayout.InProgress)}")
            {
                await old.PutAsync(stores.Open("local"), SnapshotLayout.Pinned, "the audit\n"u8.ToArray());
            }
        };

        (await PruneAsync()).Removed.ShouldBeEmpty();

        (await Listed()).ShouldBe([Day(5), Day(22)]);
        await stores.ShouldBeSoundAsync("local", "pinned in time");
        stores.Contents("local").ShouldNotContainKey(old.Key(SnapshotLayout.InProgress));
        log.ShouldContain($"local: {Day(5)} stays, it was pinned a moment ago");
    }

    [Fact]
    public async Task Rests_that_are_younger_than_the_grace_are_spared_and_older_ones_swept()
    {
        await Of(Day(22)).PutAsync(stores.Open("local"));
        await LeftoverAsync(Day(20, 5), stores.Clock.Now); // of a run within the grace
        await LeftoverAsync(Day(2), stores.Clock.Now.AddHours(-1)); // an old snapshot, of which a copy was interrupted an hour ago
        await LeftoverAsync(Day(3), stores.Clock.Now.AddDays(-3)); // the same, and given up
        await Of(Day(4)).PutAsync(stores.Open("local"), SnapshotLayout.InProgress, "being removed\n"u8.ToArray()); // only the mark
        string young = stores.Folder.Write($"local/{Day(22)}/.young.partial", "half");
        string old = stores.Folder.Write($"local/{Day(22)}/.old.partial", "half");
        File.SetLastWriteTimeUtc(young, stores.Clock.Now.AddHours(-47).UtcDateTime);
        File.SetLastWriteTimeUtc(old, stores.Clock.Now.AddHours(-49).UtcDateTime);

        PruneReport report = await PruneAsync();

        report.Swept.ShouldBe(3);
        (File.Exists(young), File.Exists(old)).ShouldBe((true, false));
        (await new Catalog(stores.Open("local"), stores.Clock).ListAsync(Cancel))
            .Select(static e => e.Id)
            .ShouldBe([Day(2), Day(20, 5), Day(22)]);
        stores.Clock.Now = stores.Clock.Now.AddDays(3);
        (await PruneAsync()).Swept.ShouldBe(3);
        (await new Catalog(stores.Open("local"), stores.Clock).ListAsync(Cancel)).Select(static e => e.Id).ShouldBe([Day(22)]);
    }

    [Fact]
    public async Task Objects_without_manifest_and_mark_are_nobodys_and_stay()
    {
        SnapshotSample lost = await Of(Day(5)).PutAsync(stores.Open("local"));
        File.Delete(stores.PathOf("local", lost.Key(SnapshotLayout.Manifest)));
        await Of(Day(22)).PutAsync(stores.Open("local"));

        PruneReport report = await PruneAsync();

        (report.Removed.Count, report.Swept).ShouldBe((0, 0));
        stores.Contents("local", lost.Id).Count.ShouldBe(6);
    }

    private async Task LeftoverAsync(SnapshotId id, DateTimeOffset written)
    {
        SnapshotSample sample = Of(id);
        foreach (string name in (string[])[SnapshotLayout.InProgress, sample.Manifest.Parts[0].Object])
        {
            await sample.PutAsync(stores.Open("local"), name, [1]);
            File.SetLastWriteTimeUtc(stores.PathOf("local", sample.Key(name)), written.UtcDateTime);
        }
    }

    private static List<string> Told(PruneReport report) => [.. report.Plan.Decisions.Select(static d => $"{d.Snapshot.Id}: {d.Why}")];

    private async Task<IEnumerable<SnapshotId>> Listed() =>
        (await new Catalog(stores.Open("local"), stores.Clock).ListAsync(Cancel)).Where(static e => e.HasManifest).Select(static e => e.Id);

    private Task<PruneReport> PruneAsync(bool dryRun = false, bool unattended = false, bool locks = false) =>
        new PruneOperation(Stores.Kept(store, keep, locks), stores.Clock, new Progress { Said = step => log.Add(step.Text) }).RunAsync(
            dryRun,
            unattended,
            Cancel
        );

    private async Task<PgBackupException> WithheldAsync(bool unattended = false)
    {
        SortedDictionary<string, string> before = stores.Contents("local");
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => PruneAsync(unattended: unattended));
        error.Code.ShouldBe(ErrorCode.PruneWithheld);
        error.Remedy.ShouldNotBeNull();
        error.Message.ShouldStartWith($"nothing was removed from the store local ({store.Location}): ");
        stores.Contents("local").ShouldBe(before);
        return error;
    }
}
