using System.Text;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Operations.Restore;

public sealed class RestoreStepTests
{
    private static readonly SnapshotId Time = SnapshotId.TryParse("20260301T030000Z")!.Value;

    [Fact]
    public void A_dated_name_says_what_and_when()
    {
        RestoreStep.DatedName("olympus", "before", Time).ShouldBe("olympus_before_20260301T030000Z");
        RestoreStep.DatedName(new string('x', 39), "before", Time).ShouldBe(new string('x', 39) + "_before_20260301T030000Z");
    }

    [Theory]
    [InlineData("x", 40)]
    [InlineData("x", 63)]
    [InlineData("漢", 21)]
    [InlineData("😀", 15)]
    public void A_long_name_is_cut_between_characters_to_63_bytes_and_stays_its_own(string character, int times)
    {
        string name = string.Concat(Enumerable.Repeat(character, times));
        string dated = RestoreStep.DatedName(name, "restore", Time);

        Encoding.UTF8.GetByteCount(dated).ShouldBeInRange(60, 63);
        dated.ShouldEndWith("_restore_20260301T030000Z");
        dated.ShouldNotContain("\uFFFD");
        RestoreStep.DatedName(name[..^character.Length] + "y" + new string('z', character.Length), "restore", Time).ShouldNotBe(dated);
        dated.ShouldStartWith(RestoreStep.DatedStem(name, "restore"));
    }
}
