using Amazon.S3.Model;
using PgBackup.Operations.Prune;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.S3;
using PgBackup.Tests.Operations;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Storage.S3;

/// <summary>Servers that speak S3 with gaps, or whose answers get lost on the way.</summary>
public sealed class S3OddServerTests
{
    [Theory]
    [InlineData(501, "NotImplemented")]
    [InlineData(403, "AccessDenied")]
    [InlineData(405, "MethodNotAllowed")]
    public async Task A_store_that_does_not_list_unfinished_uploads_has_one_note_and_snapshots_go_all_the_same(int status, string code)
    {
        await using var server = new FakeS3(
            (method, path) =>
                path.Contains("uploads", StringComparison.Ordinal) ? FakeS3.Error(status, code)
                : method == "GET" ? FakeS3.Listing(["one/a", "one/b"])
                : new Answer { Status = 204 }
        );
        using S3Store store = server.Store();

        await store.DeleteFolderAsync("one", Cancel);
        (await store.SweepAsync(DateTimeOffset.UtcNow, Cancel)).ShouldBe(0);

        server.Requests.Count(static r => r.StartsWith("DELETE", StringComparison.Ordinal)).ShouldBe(2);
        server
            .Requests.Count(static r => r.Contains("uploads", StringComparison.Ordinal))
            .ShouldBe(2, "what a server does not know, it will not know a second later");
        store.Notes.ShouldHaveSingleItem().ShouldStartWith("the store s3 (s3://b at 127.0.0.1:");
    }

    [Fact]
    public async Task What_a_server_does_not_know_is_not_said_to_pass_by_itself()
    {
        await using var server = new FakeS3(static (_, _) => FakeS3.Error(501, "NotImplemented"));
        using S3Store store = server.Store(retries: 3);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.DeleteAsync("a", Cancel));

        error.IsTransient.ShouldBeFalse();
        server.Requests.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData("<!DOCTYPE html><html>Please sign in</html>")]
    [InlineData("\uFEFF \r\n<html></html>")]
    public async Task A_page_in_the_place_of_the_lock_is_no_lock_of_somebody(string page)
    {
        await using var server = new FakeS3((_, _) => new Answer { Status = 200, Body = page });
        using S3Store store = server.Store();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.LockAsync("here", Cancel));

        error.Code.ShouldBe(ErrorCode.StoreUnavailable);
        error.Message.ShouldContain("answers with a page of HTML or XML where its lock ");
    }

    [Theory]
    [InlineData("")]
    [InlineData("<html><body><p>Please sign in</p></body></html>")]
    [InlineData("<!DOCTYPE html><html>Please sign in</html>")]
    [InlineData("<!DOCTYPE html>\n<html><head>\n<meta charset=\"utf-8\">\n</head><body>Sign&mdash;in</body></html>")]
    [InlineData("<html><head></head>\n<body><p>Please")]
    [InlineData("please sign in")]
    public async Task A_page_in_the_place_of_a_list_is_no_empty_store(string page)
    {
        await using var server = new FakeS3((_, _) => new Answer { Status = 200, Body = page });
        using S3Store store = server.Store();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => KeysAsync(store));
        PgBackupException versions = await Should.ThrowAsync<PgBackupException>(() =>
            server.Store(objectLock: "GOVERNANCE").SweepAsync(DateTimeOffset.UtcNow, Cancel)
        );

        foreach (PgBackupException e in (PgBackupException[])[error, versions])
        {
            (e.Code, e.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, false), e.Message);
            e.Message.ShouldContain("this is not an S3 server");
        }
    }

    [Theory]
    [InlineData(507, "InsufficientStorage")]
    [InlineData(403, "QuotaExceeded")]
    public async Task A_full_store_is_told_from_a_busy_one(int status, string code)
    {
        await using var server = new FakeS3((_, _) => FakeS3.Error(status, code));
        using S3Store store = server.Store();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            ((IObjectStore)store).PutAsync("a", new MemoryStream([1]), Cancel)
        );

        (error.IsFull, error.IsTransient).ShouldBe((true, false));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_listing_that_breaks_off_is_asked_for_again(bool quietly)
    {
        int asked = 0;
        Answer whole = FakeS3.Listing(["one/a", "one/b"]);
        await using var server = new FakeS3(
            (_, _) => ++asked < 3 ? whole with { CutAt = whole.Body.Length / 2, Quietly = quietly } : whole
        );
        using S3Store store = server.Store(retries: 1);

        (await KeysAsync(store)).ShouldBe(["one/a", "one/b"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_listing_that_breaks_off_each_time_is_a_store_that_cannot_be_used_now(bool quietly)
    {
        Answer whole = FakeS3.Listing(["one/a"]);
        await using var server = new FakeS3((_, _) => whole with { CutAt = whole.Body.Length / 2, Quietly = quietly });
        using S3Store store = server.Store();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => KeysAsync(store));

        (error.Code, error.IsTransient).ShouldBe((ErrorCode.StoreUnavailable, true));
    }

    [Theory]
    [InlineData("again")]
    [InlineData(null)]
    public async Task A_listing_that_says_that_there_is_more_and_never_gets_on_is_refused(string? next)
    {
        await using var server = new FakeS3((_, _) => FakeS3.Listing(["one/a"], next, truncated: true));
        using S3Store store = server.Store();

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => KeysAsync(store));

        error.Message.ShouldContain("sends the same piece again");
        server.Requests.Count.ShouldBeLessThan(4);
    }

    [Fact]
    public async Task A_store_that_was_given_up_is_asked_once_more_and_shortly_and_one_that_is_back_is_used()
    {
        var server = new FakeS3(static (_, _) => FakeS3.Listing(["one/a"]));
        using S3Store store = server.Store();
        (await KeysAsync(store)).ShouldBe(["one/a"]);
        int port = server.Port;
        await server.DisposeAsync();

        (await Should.ThrowAsync<PgBackupException>(() => KeysAsync(store))).Message.ShouldNotContain("gave it up");
        PgBackupException second = await Should.ThrowAsync<PgBackupException>(() => store.DeleteAsync("one/a", Cancel));
        (second.Message.Contains("it does not answer since this run gave it up", StringComparison.Ordinal), second.IsTransient).ShouldBe(
            (true, true)
        );

        await using var back = new FakeS3(static (_, _) => FakeS3.Listing(["one/b"]), port);
        (await KeysAsync(store)).ShouldBe(["one/b"]);
    }

    [Fact]
    public async Task A_snapshot_is_removed_with_its_versions_whatever_the_order_in_which_they_are_listed()
    {
        // As some servers do: all versions of the page first, then all delete markers.
        const string Page =
            "<ListVersionsResult><IsTruncated>false</IsTruncated>"
            + "<Version><Key>one/a</Key><VersionId>1</VersionId><IsLatest>false</IsLatest><LastModified>2026-03-22T03:00:00Z</LastModified></Version>"
            + "<Version><Key>one/b</Key><VersionId>2</VersionId><IsLatest>false</IsLatest><LastModified>2026-03-22T03:00:00Z</LastModified></Version>"
            + "<Version><Key>one/c</Key><VersionId>5</VersionId><IsLatest>true</IsLatest><LastModified>2026-03-22T03:00:00Z</LastModified></Version>"
            + "<DeleteMarker><Key>one/a</Key><VersionId>3</VersionId><IsLatest>true</IsLatest><LastModified>2026-03-22T03:00:00Z</LastModified></DeleteMarker>"
            + "<DeleteMarker><Key>one/b</Key><VersionId>4</VersionId><IsLatest>true</IsLatest><LastModified>2026-03-22T03:00:00Z</LastModified></DeleteMarker>"
            + "<DeleteMarker><Key>one/c</Key><VersionId>6</VersionId><IsLatest>false</IsLatest><LastModified>2026-03-21T03:00:00Z</LastModified></DeleteMarker></ListVersionsResult>";
        await using var server = new FakeS3(
            (method, path) =>
                path.Contains("versions", StringComparison.Ordinal) ? new Answer { Body = Page }
                : method == "GET"
                    ? new Answer { Body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>" }
                : new Answer { Status = 204 }
        );
        using S3Store store = server.Store(objectLock: "GOVERNANCE");

        (await store.SweepAsync(DateTimeOffset.UtcNow, Cancel)).ShouldBe(2);

        string[] removed =
        [
            .. server
                .Requests.Where(static r => r.StartsWith("DELETE", StringComparison.Ordinal))
                .Select(static r => r[(r.IndexOf("versionId=", StringComparison.Ordinal) + 10)..][..1]),
        ];
        removed.ShouldBe(["1", "3", "2", "4"]);
    }

    [Fact]
    public async Task Versions_of_one_key_on_several_pages_are_asked_for_by_both_markers_and_removed_together()
    {
        // A page of one key each, but for the last two versions of one/b. Without its version the marker of a key skips the rest of that
        // key.
        var pages = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["|"] = Page("one/a|2", Version("one/a", 1), Marker("one/a", 2)),
            ["one/a|2"] = Page("one/b|4", Marker("one/b", 5), Version("one/b", 4)),
            ["one/b|4"] = Page(null, Version("one/b", 3)),
            ["one/b|"] = Page(null),
            ["one/a|"] = Page(null),
        };
        await using var server = new FakeS3(
            (method, path) =>
                path.Contains("versions", StringComparison.Ordinal)
                    ? new Answer { Body = pages[$"{Of(path, "key-marker")}|{Of(path, "version-id-marker")}"] }
                : method == "GET"
                    ? new Answer { Body = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>" }
                : new Answer { Status = 204 }
        );
        using S3Store store = server.Store(objectLock: "GOVERNANCE");

        (await store.SweepAsync(DateTimeOffset.UtcNow, Cancel)).ShouldBe(2);

        server
            .Requests.Where(static r => r.StartsWith("DELETE", StringComparison.Ordinal))
            .Select(static r => Of(r, "versionId"))
            .ShouldBe(["1", "2", "4", "3", "5"]);

        static string Of(string path, string name) =>
            path.Split('?', '&').Select(static p => p.Split('=', 2)).FirstOrDefault(p => p[0] == name) is [_, var value]
                ? Uri.UnescapeDataString(value)
                : "";
        static string Page(string? next, params string[] versions) =>
            $"<ListVersionsResult><IsTruncated>{(next is null ? "false" : "true")}</IsTruncated>"
            + (
                next?.Split('|') is [var key, var version]
                    ? $"<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{version}</NextVersionIdMarker>"
                    : ""
            )
            + string.Concat(versions)
            + "</ListVersionsResult>";
        static string Version(string key, int id) =>
            $"<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>false</IsLatest><LastModified>2026-03-22T03:00:0"
            + $"{id}Z</LastModified></Version>";
        static string Marker(string key, int id) =>
            $"<DeleteMarker><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>true</IsLatest><LastModified>2026-03-22T03:00:0"
            + $"{id}Z</LastModified></DeleteMarker>";
    }

    [Fact]
    public void Below_a_delete_marker_lies_what_is_older_and_never_what_is_the_latest()
    {
        static S3ObjectVersion Version(string id, int second, bool latest = false, bool marker = false) =>
            new()
            {
                Key = "lock",
                VersionId = id,
                IsLatest = latest,
                IsDeleteMarker = marker,
                LastModified = new DateTime(2026, 3, 22, 3, 0, second, DateTimeKind.Utc),
            };

        List<S3ObjectVersion> versions =
        [
            Version("ours", 1),
            Version("earlier", 0),
            Version("theirs", 2, latest: true),
            Version("gone", 2, marker: true),
        ];

        S3Versions.Below(versions, "gone").Select(static v => v.VersionId).ShouldBe(["ours", "earlier", "gone"], ignoreOrder: true);
        S3Versions.Sorted(versions)[0].VersionId.ShouldBe("theirs");
        S3Versions.Below(versions, "unknown").ShouldBeEmpty();
    }

    [Fact]
    public async Task Removals_are_told_though_the_clean_up_after_them_fails_and_the_rest_goes_on()
    {
        using var stores = new Stores();
        FaultyStore store = stores.Faulty("local");
        foreach (int day in (int[])[3, 4, 5, 22])
        {
            await Of(Day(day)).PutAsync(stores.Open("local"));
        }

        store.Fail = static call =>
            call == $"delete-folder {Day(3)}" || call == $"delete {Of(Day(4)).Key(SnapshotLayout.Manifest)}" || call == "sweep"
                ? new PgBackupException(ErrorCode.StoreUnavailable, "not implemented")
                : null;
        List<string> log = [];

        PruneReport report = await new PruneOperation(
            Stores.Kept(store, new RetentionRules { All = RetentionLength.Of(3, RetentionUnit.Days) }),
            stores.Clock,
            new PgBackup.Operations.Progress { Said = step => log.Add(step.Text) }
        ).RunAsync(dryRun: false, unattended: true, Cancel);

        report.Removed.ShouldBe([Day(3).ToString(), Day(5).ToString()]);
        report.Findings.Count(static f => f.Code == ErrorCode.NotRemoved).ShouldBe(3);
        log.ShouldContain(static l => l.StartsWith($"local: removed {Day(3)}", StringComparison.Ordinal));
        log.ShouldContain(static l => l.StartsWith($"local: removed {Day(5)}", StringComparison.Ordinal));
        (await new Catalog(stores.Open("local"), stores.Clock).ListAsync(Cancel))
            .Where(static e => e.HasManifest)
            .Select(static e => e.Id)
            .ShouldBe([Day(4), Day(22)]);
    }

    private static async Task<List<string>> KeysAsync(S3Store store)
    {
        List<string> keys = [];
        await foreach (StoredObject one in store.ListAsync("", Cancel))
        {
            keys.Add(one.Key);
        }

        return keys;
    }
}
