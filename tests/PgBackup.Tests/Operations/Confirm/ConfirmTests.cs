using PgBackup.Operations.Confirm;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Confirm;

public sealed class ConfirmTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly ManualClock clock = new(Day(22, 4).Time);
    private readonly FaultyStore local;
    private readonly FaultyStore offsite;

    public ConfirmTests()
    {
        local = stores.Faulty("local");
        offsite = stores.Faulty("offsite");
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task One_confirmation_is_recorded_in_every_store_and_marks_every_snapshot_that_has_the_loss()
    {
        await PutNightsAsync();

        ConfirmReport report = await ConfirmAsync("latest", note: "the migration");

        report.Snapshot.ShouldBe(Day(22).ToString());
        report.Confirmed.ShouldBe([Gone(19)]);
        (report.Before.Count, report.Left.Count, report.Findings.Count, report.IsInPart).ShouldBe((0, 0, 0, false));
        report.Note.ShouldBe("the migration");
        report.Stores.ShouldAllBe(static s => s.Marked.Count == 3 && s.Red.Count == 0);
        foreach (FaultyStore store in (FaultyStore[])[local, offsite])
        {
            (await RedAsync(store)).ShouldBeEmpty();
            IReadOnlyList<RecordName> names = await new RecordsFolder(store).ListAsync(Cancel);
            names.Single().Kind.ShouldBe(RecordKind.Confirm);
            store.Calls.ShouldNotContain(static c => c.StartsWith("delete", StringComparison.Ordinal));
        }

        string mark = await File.ReadAllTextAsync(stores.PathOf("local", $"{Day(20)}/CONFIRMED"), Cancel);
        mark.ShouldStartWith("table_gone: ciam_kratos.public.identities: 2026-03-22 04:00 UTC by ");
        mark.ShouldEndWith(": the migration\n");
    }

    [Fact]
    public async Task The_record_comes_before_the_first_mark()
    {
        await PutNightsAsync();
        await ConfirmAsync("latest");

        List<string> puts = [.. local.Puts.SkipWhile(static p => !p.StartsWith("records/", StringComparison.Ordinal))];
        puts.Count.ShouldBe(4);
        puts.Skip(1).ShouldAllBe(static p => p.EndsWith("/CONFIRMED", StringComparison.Ordinal));
    }

    [Fact]
    public async Task To_confirm_twice_is_as_once()
    {
        await PutNightsAsync();
        await ConfirmAsync("latest");
        SortedDictionary<string, string> after = stores.Contents("local");

        ConfirmReport again = await ConfirmAsync("latest");

        again.Confirmed.ShouldBeEmpty();
        again.Before.ShouldBe([Gone(19)]);
        again.IsInPart.ShouldBeFalse();
        stores.Contents("local").ShouldBe(after);
    }

    [Fact]
    public async Task A_part_of_the_losses_can_be_confirmed_and_the_snapshot_stays_red_until_the_rest_is()
    {
        await Of(Day(22)).WithLosses(Gone(21), Shrunk(21, 40)).PutAsync(local);

        ConfirmReport first = await ConfirmAsync("latest", of: ["ciam_kratos.public.identities"]);

        first.Confirmed.ShouldBe([Gone(21)]);
        first.Left.Select(static f => f.Subject).ShouldBe(["ciam_kratos.public.identity_credentials"]);
        first.Stores[0].Red.ShouldBe([Day(22).ToString()]);
        (await RedAsync(local)).ShouldBe([Day(22)]);

        ConfirmReport second = await ConfirmAsync("latest");

        second.Confirmed.ShouldBe([Shrunk(21, 40)]);
        second.Before.ShouldBe([Gone(21)]);
        (await RedAsync(local)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_losses_in_two_nights_and_one_confirmation_leave_the_second_red()
    {
        await Of(Day(20)).WithLosses(Gone(19)).PutAsync(local);
        await Of(Day(21)).WithLosses(Gone(19), Shrunk(20, 40)).PutAsync(local);

        ConfirmReport report = await ConfirmAsync(Day(20).ToString());

        report.Stores[0].Marked.ShouldBe([Day(20).ToString()]);
        report.Stores[0].Red.ShouldBe([Day(21).ToString()]);
        (await RedAsync(local)).ShouldBe([Day(21)]);
    }

    [Fact]
    public async Task A_second_loss_of_the_same_table_after_the_confirmation_is_red()
    {
        await Of(Day(20)).WithLosses(Shrunk(19, 40)).PutAsync(local);
        await ConfirmAsync("latest");
        await Of(Day(21)).WithLosses(Shrunk(20, 10) with { Before = 40 }).PutAsync(local);

        (await RedAsync(local)).ShouldBe([Day(21)]);
        (await ConfirmAsync("latest")).Confirmed.Count.ShouldBe(1);
        (await RedAsync(local)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_warning_that_is_left_does_not_keep_a_snapshot_red()
    {
        Loss yellow = Shrunk(21, 40, "public.jobs") with { Severity = Severity.Warning };
        await Of(Day(22)).WithLosses(Gone(21), yellow).PutAsync(local);

        ConfirmReport report = await ConfirmAsync("latest", of: ["ciam_kratos.public.identities"]);

        report.Left.Single().Severity.ShouldBe(Severity.Warning);
        (await RedAsync(local)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_mark_LOSS_that_no_loss_explains_is_not_confirmed()
    {
        await PutNightsAsync();
        await Of(Day(15)).PutAsync(local, "LOSS", "nothing\n"u8.ToArray());
        await Of(Day(15)).PutAsync(local);

        ConfirmReport report = await ConfirmAsync("latest");

        report.Stores[0].Red.ShouldBe([Day(15).ToString()]);
    }

    [Fact]
    public async Task What_an_earlier_version_did_not_see_is_confirmed_as_a_drill_finds_it()
    {
        await Of(Day(10)).WithTable("ciam_kratos", "public.identity_credentials", 100).PutAsync(local, proven: true);
        await Of(Day(22)).PutAsync(local);

        ConfirmReport report = await ConfirmAsync("latest");

        Loss gone = report.Confirmed.Single();
        (gone.Kind, gone.Subject, gone.Since).ShouldBe((LossKind.TableGone, "ciam_kratos.public.identity_credentials", Day(10).ToString()));
        (await ConfirmAsync("latest")).Confirmed.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_snapshot_without_a_loss_is_refused_with_those_that_have_one()
    {
        await PutNightsAsync();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => ConfirmAsync(Day(19).ToString()));

        (error.Code, error.ExitCode).ShouldBe((ErrorCode.NothingToConfirm, 2));
        error.Message.ShouldBe($"the snapshot {Day(19)} has no loss; nothing was confirmed.");
        error.Remedy.ShouldBe($"These have one: {Day(22)}, {Day(21)}, {Day(20)}.");
        (await new RecordsFolder(local).ListAsync(Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_name_that_no_loss_has_is_refused_with_those_there_are()
    {
        await PutNightsAsync();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => ConfirmAsync("latest", of: ["olympus.public.x"]));

        (error.Code, error.ExitCode).ShouldBe((ErrorCode.Usage, 2));
        error.Remedy.ShouldBe("It has ciam_kratos.public.identities.");
        (await RedAsync(local)).Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_snapshot_that_is_not_there_is_an_error()
    {
        await PutNightsAsync();

        (await Should.ThrowAsync<PgBackupException>(() => ConfirmAsync(Day(1).ToString()))).Code.ShouldBe(ErrorCode.SnapshotMissing);
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_read_in_one_store_is_read_in_another()
    {
        await PutNightsAsync();
        stores.Cut("local", $"{Day(22)}/manifest.json");

        ConfirmReport report = await ConfirmAsync(Day(22).ToString());

        report.Confirmed.ShouldBe([Gone(19)]);
        report.Stores[0].Red.ShouldBe([Day(22).ToString()], "nobody can tell what it lacks");
        report.Stores[1].Red.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_that_is_away_gets_the_record_and_the_marks_by_the_same_again()
    {
        await PutNightsAsync();
        offsite.Fail = static _ => new PgBackupException(ErrorCode.StoreUnavailable, "no route to host");

        ConfirmReport first = await ConfirmAsync("latest");

        first.Stores.Select(static s => s.IsWhole).ShouldBe([true, false]);
        first.IsInPart.ShouldBeTrue();
        first
            .Findings.Select(static f => f.Code)
            .ShouldBe([ErrorCode.ConfirmationsUnreadable, ErrorCode.RecordNotWritten, ErrorCode.ConfirmedInPart]);
        (await RedAsync(local)).ShouldBeEmpty();

        offsite.Fail = static _ => null;
        (await RedAsync(offsite)).Count.ShouldBe(3);
        ConfirmReport second = await ConfirmAsync("latest");

        (second.Confirmed.Count, second.IsInPart).ShouldBe((0, false));
        (await RedAsync(offsite)).ShouldBeEmpty();
        (await new RecordsFolder(offsite).ListAsync(Cancel)).ShouldBe(await new RecordsFolder(local).ListAsync(Cancel));
    }

    [Fact]
    public async Task Where_no_store_takes_the_record_nothing_is_confirmed()
    {
        await PutNightsAsync();
        foreach (FaultyStore store in (FaultyStore[])[local, offsite])
        {
            store.Fail = static call =>
                call.StartsWith("put records/", StringComparison.Ordinal)
                    ? new PgBackupException(ErrorCode.StoreUnavailable, "read-only file system")
                    : null;
        }

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => ConfirmAsync("latest"));

        (error.Code, error.ExitCode).ShouldBe((ErrorCode.ConfirmationNotRecorded, 1));
        error.Message.ShouldContain("read-only file system");
        (await RedAsync(local)).Count.ShouldBe(3);
    }

    [Fact]
    public async Task A_mark_that_a_store_does_not_take_is_told_and_mended_by_the_same_again()
    {
        await PutNightsAsync();
        offsite.Fail = static call =>
            call == $"put {Day(21)}/CONFIRMED" ? new PgBackupException(ErrorCode.StoreUnavailable, "no room") : null;

        ConfirmReport first = await ConfirmAsync("latest");

        first.Stores.Select(static s => s.IsWhole).ShouldBe([true, false]);
        (await RedAsync(offsite)).ShouldBe([Day(21), Day(22)]);
        offsite.Fail = static _ => null;
        (await ConfirmAsync("latest")).Stores[1].Marked.ShouldBe([Day(21).ToString(), Day(22).ToString()]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Killed_at_any_write_the_same_again_mends_it_and_nothing_is_marked_that_is_not_recorded(bool halfway)
    {
        for (int n = 1; n <= 4; n++)
        {
            stores.Clear("local");
            FaultyStore dying = stores.Faulty("local");
            await PutNightsAsync(dying);
            FaultyStore store = stores.Faulty("local");
            (store.DiesAt, store.Halfway) = (n, halfway);

            // The recorder takes the death for a store that does not answer: then there is no record, and no mark.
            await Should.ThrowAsync<Exception>(() => ConfirmAsync("latest", of: [], note: null, store));

            store.IsDead.ShouldBeTrue($"write {n}");
            FaultyStore alive = stores.Faulty("local");
            int red = (await RedAsync(alive)).Count;
            int records = (await new RecordsFolder(alive).ListAsync(Cancel)).Count;
            (records > 0 || red == 3).ShouldBeTrue($"write {n}");
            ConfirmReport again = await ConfirmAsync("latest", of: [], note: null, alive);
            (again.IsInPart, (await RedAsync(alive)).Count).ShouldBe((false, 0), $"write {n}");
            (await new RecordsFolder(alive).ListAsync(Cancel)).Count.ShouldBe(1, $"write {n}");
        }
    }

    [Fact]
    public async Task One_that_is_removed_between_the_look_and_the_mark_leaves_no_mark_behind()
    {
        await PutNightsAsync();
        local.Block = (call, _) =>
        {
            if (call == $"put {Day(20)}/CONFIRMED")
            {
                Directory.Delete(stores.PathOf("local", Day(20).ToString()), recursive: true);
            }

            return Task.CompletedTask;
        };

        ConfirmReport report = await ConfirmAsync("latest");

        report.Stores[0].Marked.ShouldBe([Day(21).ToString(), Day(22).ToString()]);
        stores.Contents("local", Day(20)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Where_records_name_nobody_the_mark_does_not_either()
    {
        await PutNightsAsync();

        ConfirmReport report = await new ConfirmOperation(
            [local],
            new Recorder(Cluster, namesWho: false, [local], clock, static _ => { }),
            clock
        ).RunAsync(new ConfirmRequest { Snapshot = SnapshotRef.Latest, Note = "the migration" }, Cancel);

        (report.User, report.Note).ShouldBe((null, null));
        (await File.ReadAllTextAsync(stores.PathOf("local", $"{Day(22)}/CONFIRMED"), Cancel)).ShouldBe(
            "table_gone: ciam_kratos.public.identities: 2026-03-22 04:00 UTC\n"
        );
    }

    [Fact]
    public async Task What_stores_and_notes_say_stays_in_one_line_of_a_mark()
    {
        Loss odd = Gone(21) with { Table = "public.\"a\nb\u001b[31m\"" };
        await Of(Day(22)).WithLosses(odd).PutAsync(local);

        await ConfirmAsync("latest", note: "one\ntwo\u202e" + new string('x', 500));

        string mark = await File.ReadAllTextAsync(stores.PathOf("local", $"{Day(22)}/CONFIRMED"), Cancel);
        mark.Count(static c => c == '\n').ShouldBe(1);
        mark.ShouldNotContain('\u001b');
        mark.ShouldNotContain('\u202e');
        mark.Length.ShouldBeLessThan(600);
    }

    private async Task PutNightsAsync(params FaultyStore[] into)
    {
        foreach (FaultyStore store in into.Length > 0 ? into : [local, offsite])
        {
            await Of(Day(19)).PutAsync(store);
            foreach (int day in (int[])[20, 21, 22])
            {
                await Of(Day(day)).WithLosses(Gone(19)).PutAsync(store);
            }
        }
    }

    private Task<ConfirmReport> ConfirmAsync(string id, IReadOnlyList<string>? of = null, string? note = null) =>
        ConfirmAsync(id, of ?? [], note, local, offsite);

    private Task<ConfirmReport> ConfirmAsync(string id, IReadOnlyList<string> of, string? note, params IReadOnlyList<IObjectStore> those) =>
        new ConfirmOperation(those, new Recorder(Cluster, namesWho: true, those, clock, static _ => { }), clock).RunAsync(
            new ConfirmRequest
            {
                Snapshot = SnapshotRef.Parse(id),
                Of = of,
                Note = note,
            },
            Cancel
        );

    private async Task<List<SnapshotId>> RedAsync(FaultyStore store) =>
        [.. (await new Catalog(store, clock).ListAsync(Cancel)).Where(static e => e.HasUnconfirmedLoss).Select(static e => e.Id)];
}
