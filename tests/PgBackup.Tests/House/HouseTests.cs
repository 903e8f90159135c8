using System.Text.RegularExpressions;

namespace PgBackup.Tests.House;

/// <summary>
/// The rooms of the engine and the walls between them. Each room has a floor, and a room uses what lies on lower floors, itself, and the
/// folders it lies in; so nothing goes in a circle, and a reader of one room knows what can matter to it. docs/house.md explains the rooms.
/// </summary>
public sealed partial class HouseTests
{
    private const int MostLines = 450;
    private const int MostFiles = 20;

    private static readonly Dictionary<string, int> Floors = new(StringComparer.Ordinal)
    {
        ["PgBackup"] = 1,
        ["PgBackup.Proofs"] = 1,
        ["PgBackup.Host"] = 2,
        ["PgBackup.Streams"] = 2,
        ["PgBackup.Tools"] = 3,
        ["PgBackup.Postgres"] = 4,
        ["PgBackup.Encryption"] = 4,
        ["PgBackup.Storage"] = 4,
        ["PgBackup.Storage.Local"] = 5,
        ["PgBackup.Storage.S3"] = 5,
        ["PgBackup.Storage.Rclone"] = 5,
        ["PgBackup.Archives"] = 5,
        ["PgBackup.Snapshots"] = 5,
        ["PgBackup.Retention"] = 6,
        ["PgBackup.Records"] = 6,
        ["PgBackup.Applications"] = 6,
        ["PgBackup.Configuration"] = 7,
        ["PgBackup.Losses"] = 7,
        ["PgBackup.Operations"] = 7,
        ["PgBackup.Neon"] = 8,
        ["PgBackup.Operations.Confirm"] = 8,
        ["PgBackup.Operations.Source"] = 8,
        ["PgBackup.Operations.Keys"] = 8,
        ["PgBackup.Operations.Prune"] = 8,
        ["PgBackup.Operations.Replicate"] = 8,
        ["PgBackup.Operations.Restore"] = 8,
        ["PgBackup.Operations.Restore.Tables"] = 9,
        ["PgBackup.Operations.Backup"] = 9,
        ["PgBackup.Operations.Check"] = 9,
        ["PgBackup.Operations.Diff"] = 9,
        ["PgBackup.Operations.Drill"] = 9,
        ["PgBackup.Operations.Doctor"] = 9,
        ["PgBackup.Operations.Status"] = 10,
        ["PgBackup.Notifications"] = 11,
        ["PgBackup.Installations"] = 12,
    };

    public static TheoryData<string> Rooms => [.. Floors.Keys];

    [Fact]
    public void Every_folder_of_the_engine_is_a_room_and_every_room_a_folder() =>
        SourceTree.Files("src/PgBackup").Select(static f => RoomOf(f)).Distinct().ShouldBe(Floors.Keys, ignoreOrder: true);

    [Fact]
    public void The_table_of_rooms_in_docs_house_md_has_the_same_floors() =>
        RoomRow()
            .Matches(File.ReadAllText(Path.Combine(TestRun.Repository, "docs", "house.md")))
            .Select(static m => $"{m.Groups[2].Value} {m.Groups[1].Value}")
            .ShouldBe(Floors.Select(static f => $"{f.Key} {f.Value}"), ignoreOrder: true);

    [Theory]
    [MemberData(nameof(Rooms))]
    public void A_room_uses_only_what_lies_below_it(string room)
    {
        string[] through =
        [
            .. from file in SourceTree.Files("src/PgBackup")
            where RoomOf(file) == room
            from used in UsingLine().Matches(File.ReadAllText(file)).Select(static m => m.Groups[1].Value)
            where Floors.GetValueOrDefault(used, int.MaxValue) >= Floors[room] && !room.StartsWith(used + ".", StringComparison.Ordinal)
            select $"{SourceTree.Short(file)} uses {used}",
        ];
        through.ShouldBeEmpty();
    }

    [Fact]
    public void No_room_is_entered_by_a_qualified_name() =>
        SourceTree
            .Files("src/PgBackup")
            .Where(static f => QualifiedName().IsMatch(UsingOrNamespaceLine().Replace(File.ReadAllText(f), "")))
            .Select(SourceTree.Short)
            .ShouldBeEmpty();

    [Fact]
    public void A_namespace_is_that_of_its_folder() =>
        SourceTree
            .Files("src")
            .Where(static f => NamespaceLine().Match(File.ReadAllText(f)) is { Success: true } m && m.Groups[1].Value != RoomOf(f))
            .Select(SourceTree.Short)
            .ShouldBeEmpty();

    [Fact]
    public void A_file_has_the_name_of_its_type()
    {
        // Beside it may lie small records that belong to it.
        IEnumerable<string> wrong =
            from file in SourceTree.Files("src")
            let types = TypeLine().Matches(File.ReadAllText(file)).Select(static m => m.Groups[1].Value).ToList()
            where types.Count > 0 && !types.Contains(Path.GetFileName(file).Split('.')[0])
            select $"{SourceTree.Short(file)} has {string.Join(", ", types)}";
        wrong.ShouldBeEmpty();
    }

    [Fact]
    public void A_file_can_be_read_in_one_sitting() =>
        SourceTree
            .Files("src")
            .Concat(SourceTree.Files("tests"))
            .Where(static f => File.ReadLines(f).Count() > MostLines)
            .Select(SourceTree.Short)
            .ShouldBeEmpty();

    [Fact]
    public void A_folder_can_be_looked_over() =>
        SourceTree
            .Files("src")
            .Concat(SourceTree.Files("tests"))
            .GroupBy(static f => Path.GetDirectoryName(f)!)
            .Where(static g => g.Count() > MostFiles)
            .Select(static g => SourceTree.Short(g.Key))
            .ShouldBeEmpty();

    // src/PgBackup/Storage/S3/S3Store.cs: PgBackup.Storage.S3
    private static string RoomOf(string file) =>
        Path.GetDirectoryName(Path.GetRelativePath(Path.Combine(TestRun.Repository, "src"), file))!.Replace('/', '.');

    [GeneratedRegex(@"^\| (\d+) \| `(PgBackup[\w.]*)` \|", RegexOptions.Multiline)]
    private static partial Regex RoomRow();

    [GeneratedRegex(@"^using (PgBackup[\w.]*);", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(@"^(using|namespace) .*$", RegexOptions.Multiline)]
    private static partial Regex UsingOrNamespaceLine();

    [GeneratedRegex(@"\bPgBackup\.[A-Z]")]
    private static partial Regex QualifiedName();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(
        @"^(?:public|internal) (?:(?:static|sealed|abstract|partial|readonly) )*(?:class|struct|record struct|record|interface|enum) (\w+)",
        RegexOptions.Multiline
    )]
    private static partial Regex TypeLine();
}
