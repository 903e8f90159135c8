using System.Text;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Snapshots;

public sealed class SnapshotLayoutTests
{
    private static readonly string[] Names =
    [
        "olympus",
        "Olympus",
        "o.l-y_m",
        "with space",
        "with%20space",
        "\"quoted\"",
        "it's",
        "größe",
        "gro\u0308ße",
        "a\nb",
        "a/b",
        "a%2Fb",
        "../up",
        "..",
        ".",
        "-rf",
        "$(id)",
        "*",
        "\\",
        "a\tb",
        "😀",
        "\u0001",
        "%",
        "",
    ];

    [Theory]
    [InlineData("ciam_kratos", "20260301T030000Z-ciam_kratos.dump.gpg")]
    [InlineData("o.l-y_M9", "20260301T030000Z-o.l-y_M9.dump.gpg")]
    [InlineData("with space", "20260301T030000Z-with%20space.dump.gpg")]
    [InlineData("größe", "20260301T030000Z-gr%C3%B6%C3%9Fe.dump.gpg")]
    [InlineData("\"it's\"", "20260301T030000Z-%22it%27s%22.dump.gpg")]
    [InlineData("a\nb/c", "20260301T030000Z-a%0Ab%2Fc.dump.gpg")]
    [InlineData("100%", "20260301T030000Z-100%25.dump.gpg")]
    public void A_databases_object_is_named_after_it(string database, string name) =>
        SnapshotLayout.DatabaseName(ManifestSample.Id, database, ".gpg").ShouldBe(name);

    [Fact]
    public void Different_databases_have_different_objects_and_the_globals_another()
    {
        string[] names =
        [
            .. Names.Select(static n => SnapshotLayout.DatabaseName(ManifestSample.Id, n, "")),
            SnapshotLayout.GlobalsName(ManifestSample.Id, ""),
        ];

        names.Distinct(StringComparer.Ordinal).Count().ShouldBe(Names.Length + 1);
    }

    [Fact]
    public void Every_name_is_one_plain_file_name_that_says_which_database_it_is()
    {
        foreach (string database in Names)
        {
            string name = SnapshotLayout.DatabaseName(ManifestSample.Id, database, ".age");

            name.ShouldAllBe(static c => char.IsAsciiLetterOrDigit(c) || c == '%' || c == '-' || c == '_' || c == '.');
            Uri.UnescapeDataString(name["20260301T030000Z-".Length..^".dump.age".Length]).ShouldBe(database);
        }
    }

    [Fact]
    public void The_longest_name_that_postgres_allows_is_no_too_long_file_name()
    {
        string longest = new('ü', 31);
        Encoding.UTF8.GetByteCount(longest).ShouldBe(62);

        SnapshotLayout.DatabaseName(ManifestSample.Id, longest + "/", ".gpg").Length.ShouldBeLessThan(255);
    }

    [Fact]
    public void The_fixed_names_are_those_of_the_design()
    {
        SnapshotLayout.GlobalsName(ManifestSample.Id, ".gpg").ShouldBe("20260301T030000Z-globals.sql.gpg");
        SnapshotLayout.Key(ManifestSample.Id, SnapshotLayout.Manifest).ShouldBe("20260301T030000Z/manifest.json");
        (SnapshotLayout.Sums, SnapshotLayout.Guide).ShouldBe(("SHA256SUMS", "RESTORE.md"));
        SnapshotLayout.ManifestSum.ShouldBe("manifest.sha256");
    }
}
