using PgBackup.Snapshots;

namespace PgBackup.Tests.Snapshots;

public sealed class SnapshotRefTests
{
    private const string Id = "20260301T030000Z";

    public static TheoryData<string> Mistyped =>
        ["", "yesterday", "20260301", "../20260301T030000Z", "20260301T030000Z ", "Latest", "LATEST", " latest", "newest", "0"];

    [Fact]
    public void An_id_names_its_snapshot()
    {
        SnapshotRef named = SnapshotRef.Parse(Id);

        named.Id.ShouldBe(ManifestSample.Id);
        (named.IsLatest, named.IsPrevious, named.IsLive).ShouldBe((false, false, false));
        named.ShouldBe(SnapshotRef.Of(ManifestSample.Id));
        SnapshotRef.ParseSide(Id).ShouldBe(named);
        named.ShouldNotBe(SnapshotRef.Parse("20260301T030001Z"));
    }

    [Fact]
    public void Latest_is_the_word_of_every_verb()
    {
        SnapshotRef named = SnapshotRef.Parse("latest");

        (named.Id, named.IsLatest, named.IsPrevious, named.IsLive).ShouldBe((null, true, false, false));
        SnapshotRef.ParseSide("latest").ShouldBe(named);
    }

    [Fact]
    public void Previous_and_live_are_sides_of_a_comparison()
    {
        SnapshotRef previous = SnapshotRef.ParseSide("previous");
        SnapshotRef live = SnapshotRef.ParseSide("live");

        (previous.Id, previous.IsLatest, previous.IsPrevious, previous.IsLive).ShouldBe((null, false, true, false));
        (live.Id, live.IsLatest, live.IsPrevious, live.IsLive).ShouldBe((null, false, false, true));
    }

    [Theory]
    [InlineData(Id)]
    [InlineData("latest")]
    [InlineData("previous")]
    [InlineData("live")]
    public void It_is_shown_as_it_was_typed(string text) => SnapshotRef.TryParse(text).ShouldNotBeNull().ToString().ShouldBe(text);

    [Theory]
    [MemberData(nameof(Mistyped))]
    [InlineData("previous")]
    [InlineData("live")]
    public void What_names_no_snapshot_of_a_store_is_wrong_usage(string text)
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => SnapshotRef.Parse(text));

        (error.Code, error.ExitCode, error.Message).ShouldBe((ErrorCode.Usage, 2, $"\"{text}\" is not a snapshot id."));
        error.Remedy.ShouldBe(
            "An id looks like 20260301T030000Z; `latest` is the newest complete one; `olympus-pgbackup list` shows them."
        );
    }

    [Theory]
    [MemberData(nameof(Mistyped))]
    public void What_names_no_side_of_a_comparison_is_wrong_usage_and_all_words_are_told(string text)
    {
        SnapshotRef.TryParse(text).ShouldBeNull();
        PgBackupException error = Should.Throw<PgBackupException>(() => SnapshotRef.ParseSide(text));

        (error.Code, error.ExitCode, error.Message).ShouldBe((ErrorCode.Usage, 2, $"\"{text}\" is not a snapshot id."));
        error.Remedy.ShouldBe(
            "An id looks like 20260301T030000Z; `latest` is the newest complete one, `previous` the complete one before the other, "
                + "`live` the databases as they are now; `olympus-pgbackup list` shows them."
        );
    }
}
