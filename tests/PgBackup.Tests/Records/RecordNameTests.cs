using PgBackup.Records;

namespace PgBackup.Tests.Records;

public sealed class RecordNameTests
{
    [Theory]
    [InlineData("records/20260301T030000Z-run-0a1b2c3d.json", RecordKind.Run)]
    [InlineData("records/20260301T030000Z-key-test-0a1b2c3d.json", RecordKind.KeyTest)]
    [InlineData("records/20260301T030000Z-base-0a1b2c3d.json", RecordKind.Unknown)]
    public void A_key_of_a_record_says_when_and_what(string key, RecordKind kind)
    {
        RecordName name = RecordName.TryParse(key).ShouldNotBeNull();

        (name.Time, name.Kind, name.Key).ShouldBe((RecordSample.Time, kind, key));
        $"records/{name.Name}.json".ShouldBe(key);
    }

    [Theory]
    [InlineData("records/20260301T030000Z-run.json")]
    [InlineData("records/20260301T030000Z-run-0A1B2C3D.json")]
    [InlineData("records/20260301T030000Z-run-0a1b2c3d.json\n")]
    [InlineData("records/20260301T030000Z-r\u001bn-0a1b2c3d.json")]
    [InlineData("records/20261301T030000Z-run-0a1b2c3d.json")]
    [InlineData("records/20260301T030000Z-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-0a1b2c3d.json")]
    [InlineData("records/20260301T030000Z-run-0a1b2c3d.md")]
    [InlineData("records/none/20260301T030000Z-run-0a1b2c3d.json")]
    [InlineData("drills/20260301T030000Z-run-0a1b2c3d.json")]
    [InlineData("20260301T030000Z/manifest.json")]
    [InlineData("")]
    public void Any_other_key_is_none(string key) => RecordName.TryParse(key).ShouldBeNull();

    [Fact]
    public void Every_kind_has_a_name_that_is_read_back()
    {
        foreach (RecordKind kind in RecordKinds.Known)
        {
            RecordName name = RecordsFolder.NewName(RecordSample.Of(kind));
            RecordName.TryParse(name.Key).ShouldBe(name);
            RecordKinds.Of(kind.Word()).ShouldBe(kind);
        }

        RecordKinds.Of("unknown").ShouldBe(RecordKind.Unknown);
        RecordKinds.Of("RUN").ShouldBe(RecordKind.Unknown);
    }

    [Fact]
    public void Two_records_of_one_second_have_different_names() =>
        RecordsFolder.NewName(RecordSample.Of()).ShouldNotBe(RecordsFolder.NewName(RecordSample.Of()));
}
