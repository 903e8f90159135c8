using PgBackup.Operations.Check;
using PgBackup.Records;
using PgBackup.Snapshots;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Check;

public sealed class CheckJournalTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly string path;

    public CheckJournalTests() => path = stores.Folder["state/check.journal"];

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task An_interrupted_check_goes_on_without_reading_again_what_was_right()
    {
        FaultyStore store = stores.Faulty("local");
        SnapshotSample sample = await Of(Day(22)).PutAsync(store);
        stores.Flip("local", sample.PartKey(1));
        int read = 0;
        store.Fail = call =>
            call.StartsWith($"open {sample.Id}/{sample.Id}-", StringComparison.Ordinal) && ++read > 2
                ? new OperationCanceledException()
                : null;
        using (CheckJournal journal = CheckJournal.Open(path, resume: false)!)
        {
            await Should.ThrowAsync<OperationCanceledException>(() =>
                Stores.CheckOf(store, journal).RunAsync(null, CheckDepth.ReadData, Cancel)
            );
        }

        store.Fail = static _ => null;
        int before = store.Calls.Count;
        using CheckJournal resumed = CheckJournal.Open(path, resume: true)!;
        SnapshotCheck check = (await Stores.CheckOf(store, resumed).RunAsync(null, CheckDepth.ReadData, Cancel)).ShouldHaveSingleItem();

        // The three parts in the order of their sizes: one was found damaged, one right, and the third was not come to.
        resumed.Remembered.ShouldBe(1);
        check.Problems.ShouldHaveSingleItem().Object.ShouldBe(sample.Manifest.Parts[1].Object);
        store.Calls.Skip(before).ShouldNotContain($"open {sample.PartKey(2)}");
        store.Calls.Skip(before).ShouldContain($"open {sample.PartKey(1)}");
        store.Calls.Skip(before).ShouldContain($"open {sample.PartKey(0)}");
    }

    [Fact]
    public async Task An_object_of_which_the_manifest_says_something_else_now_is_read()
    {
        FaultyStore store = stores.Faulty("local");
        SnapshotSample sample = await Of(Day(22)).PutAsync(store);
        using (CheckJournal journal = CheckJournal.Open(path, resume: false)!)
        {
            await Stores.CheckOf(store, journal).RunAsync(null, CheckDepth.ReadData, Cancel);
        }

        Part changed = sample.Manifest.Parts[1] with { Sha256 = new string('0', 64) };
        await sample.PutAsync(
            store,
            SnapshotLayout.Manifest,
            (sample.Manifest with { Parts = [sample.Manifest.Parts[0], changed, sample.Manifest.Parts[2]] }).ToJson()
        );
        using CheckJournal resumed = CheckJournal.Open(path, resume: true)!;

        SnapshotCheck check = (await Stores.CheckOf(store, resumed).RunAsync(null, CheckDepth.ReadData, Cancel)).ShouldHaveSingleItem();

        resumed.Remembered.ShouldBe(3);
        check.BytesRead.ShouldBe(changed.Size);
        check.Problems.Select(static p => p.Object).ShouldContain(changed.Object);
    }

    [Fact]
    public void What_was_decoded_was_read_too_and_not_the_other_way_round()
    {
        using (CheckJournal journal = CheckJournal.Open(path, resume: false)!)
        {
            journal.Add("local", "a", "1", CheckDepth.Decode);
            journal.Add("local", "b", "1", CheckDepth.ReadData);
        }

        using CheckJournal resumed = CheckJournal.Open(path, resume: true)!;

        (resumed.Has("local", "a", "1", CheckDepth.ReadData), resumed.Has("local", "a", "1", CheckDepth.Decode)).ShouldBe((true, true));
        (resumed.Has("local", "b", "1", CheckDepth.ReadData), resumed.Has("local", "b", "1", CheckDepth.Decode)).ShouldBe((true, false));
        (resumed.Has("offsite", "a", "1", CheckDepth.ReadData), resumed.Has("local", "a", "2", CheckDepth.ReadData)).ShouldBe(
            (false, false)
        );
    }

    [Fact]
    public void A_kill_in_the_middle_of_a_line_costs_that_line_only()
    {
        using (CheckJournal journal = CheckJournal.Open(path, resume: false)!)
        {
            journal.Add("local", "a", "1", CheckDepth.ReadData);
        }

        File.AppendAllText(path, "local ReadData 2 b-ha");
        using (CheckJournal journal = CheckJournal.Open(path, resume: true)!)
        {
            journal.Add("local", "c", "3", CheckDepth.ReadData);
        }

        using CheckJournal resumed = CheckJournal.Open(path, resume: true)!;
        (resumed.Has("local", "a", "1", CheckDepth.ReadData), resumed.Has("local", "c", "3", CheckDepth.ReadData)).ShouldBe((true, true));
    }

    [Fact]
    public void A_new_check_begins_a_new_one_and_its_end_removes_it()
    {
        using (CheckJournal journal = CheckJournal.Open(path, resume: false)!)
        {
            journal.Add("local", "a", "1", CheckDepth.ReadData);
        }

        using CheckJournal other = CheckJournal.Open(path, resume: false)!;
        other.Remembered.ShouldBe(0);
        other.Finish();
        File.Exists(path).ShouldBeFalse();
        other.Finish();
    }

    [Fact]
    public void A_folder_that_cannot_be_written_is_no_error()
    {
        stores.Folder.Write("file", "no folder");

        CheckJournal.Open(stores.Folder["file/check.journal"], resume: false).ShouldBeNull();
        CheckJournal.Open(stores.Folder["file/check.journal"], resume: true).ShouldBeNull();
    }

    [Fact]
    public void A_disk_that_is_full_costs_the_memory_and_not_the_check()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.CreateSymbolicLink(path, "/dev/full");
        CheckJournal journal = CheckJournal.Open(path, resume: false)!;

        journal.Add("local", "a", "1", CheckDepth.ReadData);
        journal.Add("local", "b", "1", CheckDepth.ReadData);
        journal.Finish();

        File.Exists("/dev/full").ShouldBeTrue();
    }
}
