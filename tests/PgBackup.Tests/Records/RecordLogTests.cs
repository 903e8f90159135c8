using System.Diagnostics;
using System.Globalization;
using PgBackup.Records;
using PgBackup.Tests.Operations;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Records;

public sealed class RecordLogTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly FaultyStore local;
    private readonly FaultyStore offsite;
    private readonly RecordLog log;

    public RecordLogTests()
    {
        local = stores.Faulty("local");
        offsite = stores.Faulty("offsite");
        log = new RecordLog([local, offsite], new ManualClock(DateTimeOffset.UnixEpoch));
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task The_records_of_all_stores_are_one_list_the_newest_first_each_once()
    {
        RecordName both = await PutAsync(0, local, offsite);
        RecordName there = await PutAsync(1, offsite);
        RecordName here = await PutAsync(2, local);

        RecordListing listing = await log.ListAsync(10, null, Cancel);

        listing
            .Entries.Select(static e => $"{e.Name.Name} {string.Join('+', e.Stores)}")
            .ShouldBe([$"{here.Name} local", $"{there.Name} offsite", $"{both.Name} local+offsite"]);
        listing.Entries.ShouldAllBe(static e => e.Record != null);
        listing.Findings.ShouldBeEmpty();
    }

    [Fact]
    public async Task Only_what_is_shown_is_read()
    {
        for (int day = 0; day < 5; day++)
        {
            await PutAsync(day, local, offsite);
        }

        (await log.ListAsync(2, null, Cancel)).Entries.Count.ShouldBe(2);

        local.Calls.Count(static c => c.StartsWith("open ", StringComparison.Ordinal)).ShouldBe(2);
        offsite.Calls.ShouldNotContain(static c => c.StartsWith("open ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Those_of_one_kind_can_be_asked_for()
    {
        await PutAsync(0, local);
        var restore = await new RecordsFolder(local).PutAsync(RecordSample.Of(RecordKind.Restore), Cancel);

        (await log.ListAsync(10, RecordKind.Restore, Cancel)).Entries.Select(static e => e.Name).ShouldBe([restore]);
    }

    [Fact]
    public async Task A_record_that_is_damaged_in_one_store_is_read_from_another()
    {
        RecordName name = await PutAsync(0, local, offsite);
        stores.Cut("local", name.Key);

        RecordListing listing = await log.ListAsync(10, null, Cancel);

        listing.Entries.ShouldHaveSingleItem().Record.ShouldNotBeNull();
        listing.Findings.ShouldBeEmpty();
        stores.Cut("offsite", name.Key);
        (await log.ListAsync(10, null, Cancel)).Entries.ShouldHaveSingleItem().Record.ShouldBeNull();
    }

    [Fact]
    public async Task A_store_that_cannot_be_listed_is_a_finding_and_the_others_are_shown()
    {
        await PutAsync(0, local);
        offsite.Fail = static _ => Gone;

        RecordListing listing = await log.ListAsync(10, null, Cancel);

        listing.Entries.Count.ShouldBe(1);
        Finding finding = listing.Findings.ShouldHaveSingleItem();
        (finding.Code, finding.Severity, finding.Subject).ShouldBe((ErrorCode.RecordsUnreadable, Severity.Warning, "offsite"));
        local.Fail = static _ => Gone;
        (await Should.ThrowAsync<PgBackupException>(() => log.ListAsync(10, null, Cancel))).Code.ShouldBe(ErrorCode.StoreUnavailable);
    }

    [Fact]
    public async Task A_record_that_the_disk_does_not_give_is_a_finding_and_the_others_are_shown()
    {
        RecordName bad = await PutAsync(0, local);
        RecordName good = await PutAsync(1, local);
        local.Fail = call => call == $"open {bad.Key}" ? Gone : null;

        RecordListing listing = await log.ListAsync(10, null, Cancel);

        listing.Entries.Select(static e => e.Record is null).ShouldBe([false, true]);
        listing.Entries[0].Name.ShouldBe(good);
        listing.Findings.ShouldHaveSingleItem().Subject.ShouldBe(bad.Name);
    }

    [Fact]
    public async Task One_record_is_found_by_its_name_or_by_a_time_that_it_alone_has()
    {
        RecordName first = await PutAsync(0, local, offsite);
        RecordName second = await PutAsync(0, local);
        RecordName third = await PutAsync(1, offsite);

        (await log.FindAsync(first.Name, Cancel)).Entries.ShouldHaveSingleItem().Name.ShouldBe(first);
        (await log.FindAsync("20260302T030000Z", Cancel)).Entries.ShouldHaveSingleItem().Name.ShouldBe(third);
        PgBackupException many = await Should.ThrowAsync<PgBackupException>(() => log.FindAsync("20260301T030000Z", Cancel));
        many.Code.ShouldBe(ErrorCode.Usage);
        many.Remedy!.ShouldContain(first.Name);
        many.Remedy!.ShouldContain(second.Name);
        foreach (string none in (string[])["", "20260303T030000Z", "x"])
        {
            (await Should.ThrowAsync<PgBackupException>(() => log.FindAsync(none, Cancel))).Code.ShouldBe(ErrorCode.Usage);
        }
    }

    [Fact]
    public async Task Ten_thousand_records_in_two_folders_are_shown_in_two_seconds()
    {
        foreach (string store in (string[])["local", "offsite"])
        {
            Directory.CreateDirectory(stores.PathOf(store, "records"));
            for (int i = 0; i < 10_000; i++)
            {
                string time = RecordSample.Time.AddHours(i).ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
                string name = string.Create(CultureInfo.InvariantCulture, $"records/{time}-run-{i:x8}.json");
                await File.WriteAllTextAsync(stores.PathOf(store, name), "{}", Cancel);
            }
        }

        var watch = Stopwatch.StartNew();
        RecordListing listing = await new RecordLog(
            [stores.Open("local"), stores.Open("offsite")],
            new ManualClock(DateTimeOffset.UnixEpoch)
        ).ListAsync(30, null, Cancel);

        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(2));
        listing.Entries.Count.ShouldBe(30);
        listing.Entries[0].Name.Name.ShouldEndWith("-run-0000270f");
    }

    private static PgBackupException Gone => new(ErrorCode.StoreUnavailable, "it is gone.");

    private static async Task<RecordName> PutAsync(int day, params FaultyStore[] into)
    {
        Record record = RecordSample.Of(started: RecordSample.Time.AddDays(day));
        RecordName name = RecordsFolder.NewName(record);
        foreach (FaultyStore store in into)
        {
            await new RecordsFolder(store).PutAsync(name, record, Cancel);
        }

        return name;
    }
}
