using System.Text;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage.Local;
using PgBackup.Tests.Operations;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Records;

public sealed class RecordsFolderTests : IDisposable
{
    private readonly Stores stores = new();
    private readonly LocalStore store;
    private readonly RecordsFolder folder;

    public RecordsFolderTests()
    {
        store = stores.Open("local");
        folder = new RecordsFolder(store);
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task A_record_is_read_back_as_it_was_written()
    {
        Record record = RecordSample.Of(RecordKind.Confirm) with
        {
            Store = "local",
            Note = "meant: \u00fcber alles gel\u00f6scht",
            Confirmed =
            [
                new Loss
                {
                    Kind = LossKind.TableGone,
                    Database = "olympus",
                    Table = "public.jobs",
                    Before = 12,
                    Now = 0,
                    Since = "20260228T030000Z",
                    Severity = Severity.Error,
                },
            ],
        };

        RecordName name = await folder.PutAsync(record, Cancel);

        name.Kind.ShouldBe(RecordKind.Confirm);
        Record read = (await folder.TryReadAsync(name, Cancel)).ShouldNotBeNull();
        read.ShouldBe(record with { Findings = read.Findings, Confirmed = read.Confirmed });
        read.Findings.ShouldBe(record.Findings);
        read.Confirmed.ShouldBe(record.Confirmed);
        byte[] json = await File.ReadAllBytesAsync(stores.PathOf("local", name.Key), Cancel);
        json.ShouldAllBe(static b => b < 128, "a terminal that shows the file obeys nothing of it");
        Encoding.UTF8.GetString(json).ShouldContain("\"kind\": \"confirm\"");
    }

    [Fact]
    public async Task Records_are_listed_by_their_names_the_newest_first_and_what_is_none_is_not()
    {
        RecordName old = await folder.PutAsync(RecordSample.Of(), Cancel);
        RecordName newest = await folder.PutAsync(RecordSample.Of(RecordKind.Prune, RecordSample.Time.AddDays(2)), Cancel);
        RecordName middle = await folder.PutAsync(RecordSample.Of(RecordKind.Drill, RecordSample.Time.AddDays(1)), Cancel);
        await PutAsync("records/readme.txt", "x");
        await PutAsync("records/below/20260301T030000Z-run-0a1b2c3d.json", "{}");

        (await folder.ListAsync(Cancel)).ShouldBe([newest, middle, old]);
    }

    [Fact]
    public async Task A_store_without_records_has_none() => (await folder.ListAsync(Cancel)).ShouldBeEmpty();

    [Fact]
    public async Task No_record_makes_the_folder_of_a_store_that_is_not_there()
    {
        var away = new LocalStore("usb", stores.Folder["usb"]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            new RecordsFolder(away).PutAsync(RecordSample.Of(), Cancel)
        );

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        Directory.Exists(stores.Folder["usb"]).ShouldBeFalse();
    }

    [Fact]
    public async Task Of_very_many_findings_the_gravest_stay_and_the_number_of_the_others()
    {
        Finding[] findings =
        [
            .. Enumerable.Range(0, 400).Select(static i => Finding.Note(ErrorCode.RoleKept, $"role{i}", "kept")),
            .. Enumerable.Range(0, 30).Select(static i => Finding.Error(ErrorCode.ObjectDamaged, $"part{i}", "damaged")),
            .. Enumerable.Range(0, 30).Select(static i => Finding.Warning(ErrorCode.NotRemoved, $"old{i}", "stays")),
        ];

        Record read = await RoundAsync(RecordSample.Of() with { Findings = findings });

        read.Findings.Count.ShouldBe(100);
        read.FindingsOmitted.ShouldBe(360);
        read.Findings.Take(30).ShouldAllBe(static f => f.Severity == Severity.Error);
        read.Findings.Skip(30).Take(30).ShouldAllBe(static f => f.Severity == Severity.Warning);
        read.Findings[0].Subject.ShouldBe("part0", "those of one severity stay in their order");
    }

    [Fact]
    public async Task Long_texts_are_cut_to_a_thousand_characters_and_no_character_in_two()
    {
        string text = new string('x', 996) + "\U0001F512\U0001F512\U0001F512";

        Record read = await RoundAsync(
            RecordSample.Of() with
            {
                Summary = text,
                Note = text,
                Findings = [Finding.Error(ErrorCode.ToolFailed, text, text, text, text)],
            }
        );

        foreach (string? cut in (string?[])[read.Summary, read.Note, read.Findings[0].What, read.Findings[0].Why, read.Findings[0].Subject])
        {
            cut.ShouldBe(new string('x', 996) + "...");
        }
    }

    [Fact]
    public async Task A_record_never_has_more_bytes_than_are_read_whatever_letters_it_is_written_in()
    {
        string text = new('\u0416', 5000);
        Finding[] findings = [.. Enumerable.Range(0, 200).Select(i => Finding.Error(ErrorCode.ToolFailed, text, text, text, text))];

        Record read = await RoundAsync(RecordSample.Of() with { Findings = findings });

        read.Findings.Count.ShouldBeGreaterThan(5);
        (read.Findings.Count + read.FindingsOmitted).ShouldBe(200);
        new FileInfo(Directory.GetFiles(stores.PathOf("local", "records")).Single()).Length.ShouldBeLessThanOrEqualTo(
            RecordsFolder.Largest
        );
    }

    [Fact]
    public async Task A_confirmation_keeps_each_of_thousands_of_losses()
    {
        Loss[] losses =
        [
            .. Enumerable
                .Range(0, 20_000)
                .Select(static i => new Loss
                {
                    Kind = LossKind.TableGone,
                    Database = "olympus",
                    Table = $"public.table_{i}",
                    Before = i,
                    Now = 0,
                    Since = "20260228T030000Z",
                    Severity = Severity.Error,
                }),
        ];

        (await RoundAsync(RecordSample.Of(RecordKind.Confirm) with { Confirmed = losses })).Confirmed.ShouldBe(losses);
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            folder.PutAsync(RecordSample.Of(RecordKind.Confirm) with { Confirmed = [.. losses, .. losses, .. losses] }, Cancel)
        );
        error.Code.ShouldBe(ErrorCode.Usage);
    }

    [Fact]
    public async Task Lines_that_tools_and_servers_said_are_left_out_since_they_may_quote_rows()
    {
        Record read = await RoundAsync(
            RecordSample.Of() with
            {
                Findings =
                [
                    Finding.Error(
                        ErrorCode.ToolFailed,
                        "olympus",
                        "pg_restore failed with exit code 1:\n  ERROR: duplicate key\n  DETAIL:  Key (email)=(alice@example.com) already exists.",
                        "ERROR: duplicate key DETAIL:  Key (email)=(bob@example.com) already exists."
                    ),
                ],
            }
        );

        read.Findings.ShouldHaveSingleItem().What.ShouldBe("pg_restore failed with exit code 1");
        read.Findings[0].Why.ShouldBe("ERROR: duplicate key");
        (await File.ReadAllTextAsync(Directory.GetFiles(stores.PathOf("local", "records")).Single(), Cancel)).ShouldNotContain(
            "example.com"
        );
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("\u0000")]
    public async Task What_is_no_record_is_none(string text) => (await ReadAsync(text)).ShouldBeNull();

    [Theory]
    [InlineData("\"format\": 1", "\"format\": 2")]
    [InlineData("\"format\": 1", "\"format\": 0")]
    [InlineData("\"format\": 1", "\"format\": \"1\"")]
    [InlineData("\"kind\": \"run\"", "\"kind\": \"confirm\"")]
    [InlineData("\"kind\": \"run\"", "\"kind\": 1")]
    [InlineData("\"started\": \"2026-03-01", "\"started\": \"2026-03-02")]
    [InlineData("\"started\": \"2026-03-01", "\"started\": \"20260301")]
    [InlineData("\"summary\": \"5", "\"summary\": null, \"x\": \"5")]
    [InlineData("\"findings\": [", "\"findings\": [ null, ")]
    [InlineData("\"code\": \"PGB-0132\"", "\"code\": 132")]
    [InlineData("\"confirmed\": []", "\"confirmed\": [ null ]")]
    [InlineData("\"cluster\": \"olympus\"", "\"cluster\": \"\\ud800\"")]
    public async Task A_record_that_says_what_none_may_say_is_none(string piece, string instead)
    {
        string json = Encoding.UTF8.GetString(RecordSample.Of().ToJson());
        json.ShouldContain(piece);

        (await ReadAsync(json.Replace(piece, instead, StringComparison.Ordinal))).ShouldBeNull();
    }

    [Fact]
    public async Task A_record_with_words_and_fields_of_a_newer_version_is_read()
    {
        string json = Encoding
            .UTF8.GetString(RecordSample.Of().ToJson())
            .Replace("\"result\": \"ok\"", "\"result\": \"splendid\", \"moon\": [1]", StringComparison.Ordinal)
            .Replace("PGB-0132", "PGB-0999", StringComparison.Ordinal);

        Record read = (await ReadAsync(json)).ShouldNotBeNull();

        (read.Result, (int)read.Findings[0].Code).ShouldBe((RecordResult.Unknown, 999));
    }

    [Fact]
    public async Task Lists_that_are_null_are_empty()
    {
        string json = Encoding
            .UTF8.GetString((RecordSample.Of() with { Findings = [] }).ToJson())
            .Replace("\"confirmed\": []", "\"confirmed\": null", StringComparison.Ordinal);

        (await ReadAsync(json))?.Confirmed.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_record_that_is_far_too_large_is_none() =>
        (await ReadAsync(Encoding.UTF8.GetString(RecordSample.Of().ToJson()) + new string(' ', RecordsFolder.Largest))).ShouldBeNull();

    [Fact]
    public async Task A_record_that_is_a_link_or_is_gone_is_none()
    {
        RecordName name = RecordsFolder.NewName(RecordSample.Of());
        (await folder.TryReadAsync(name, Cancel)).ShouldBeNull();
        Directory.CreateDirectory(stores.PathOf("local", "records"));
        File.CreateSymbolicLink(stores.PathOf("local", name.Key), "/etc/hostname");

        (await folder.ListAsync(Cancel)).ShouldBe([name]);
        (await folder.TryReadAsync(name, Cancel)).ShouldBeNull();
    }

    private async Task<Record> RoundAsync(Record record) =>
        (await folder.TryReadAsync(await folder.PutAsync(record, Cancel), Cancel)).ShouldNotBeNull();

    private async Task<Record?> ReadAsync(string text)
    {
        RecordName name = RecordsFolder.NewName(RecordSample.Of());
        await PutAsync(name.Key, text);
        return await folder.TryReadAsync(name, Cancel);
    }

    private Task<long> PutAsync(string key, string text) =>
        store.PutAsync(key, new MemoryStream(Encoding.UTF8.GetBytes(text)), null, Cancel);
}
