using System.Text.Json.Nodes;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.App;

/// <summary>diff of made-up snapshots: from their manifests, with nothing else in the store.</summary>
public sealed class DiffVerbTests : IDisposable
{
    private readonly TestFolder folder = new();

    public DiffVerbTests()
    {
        folder.Write("olympus-pgbackup.yaml", $"cluster: olympus\nstores: [{{ name: local, path: {folder["store"]} }}]\n");
        Directory.CreateDirectory(folder["store"]);
        Manifest first = Of(1);
        Manifest second = Of(2);
        Put(first with { Parts = [.. first.Parts, Database(1, "wiki", 40)] });
        Proof grown = second.Databases.First().Proof;
        grown.Tables["public.identities"] = grown.Tables["public.identities"] with { Rows = 1234600, Bytes = 12346400 };
        grown.Tables["public.sessions"] = new TableProof
        {
            Rows = 12,
            Bytes = 2048,
            Digest = new string('1', 64),
        };
        grown.Tables.Remove("public.\"With Space\"");
        grown.Sequences["public.identities_id_seq"] = "75,true";
        grown.Sequences["public.sessions_id_seq"] = "1,false";
        Proof odd = grown with
        {
            LargeObjects = new TableProof
            {
                Rows = 3,
                Bytes = 15,
                Digest = new string('e', 64),
            },
            Schema = new StatementsProof { Count = 14, Digest = new string('e', 64) },
        };
        Part[] parts =
        [
            second.Globals!,
            second.Databases.First() with
            {
                Proof = odd,
            },
            second.Databases.Last(),
            Database(2, "iam_kratos", 5779),
        ];
        Put(
            second with
            {
                Parts = parts,
                Failures =
                [
                    new PartFailure
                    {
                        Part = "olympus",
                        Code = "PGB-0021",
                        Message = "pg_dump failed",
                    },
                ],
            }
        );
        Put(Of(3));
        Put(Of(4));
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task It_is_as_people_will_read_it()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "diff", Id(1), Id(2));

        result.Output.Replace(folder["store"], "/backups").ShouldBeAsExpected("diff.txt");
        (result.ExitCode, result.Errors).ShouldBe((0, ""));
    }

    [Fact]
    public async Task Two_equal_snapshots_differ_in_nothing_and_the_last_two_are_compared_by_default()
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, "diff");

        result.ExitCode.ShouldBe(0);
        result.Output.ShouldStartWith($"from  {Id(3)}, local ({folder["store"]}), Postgres 17.2\nto    {Id(4)}, ");
        result.Output.ShouldContain("\nciam_kratos: the same (2 tables, 1,234,567 rows)\n");
        result.Output.ShouldEndWith("\n2 databases: 2 the same; tables: 0 changed, 0 new, 0 gone; 0 rows, 0; the roles are the same\n");
    }

    [Theory]
    [InlineData("previous latest", 3, 4)]
    [InlineData("latest previous", 4, 3)]
    [InlineData("20260303T030000Z previous", 3, 1)] // the one between is incomplete
    [InlineData("20260302T030000Z", 2, 4)]
    public async Task The_words_name_the_newest_complete_one_and_the_complete_one_before_the_other(string arguments, int from, int to)
    {
        JsonNode report = JsonNode.Parse((await AppProcess.RunAsync(folder.Path, ["diff", .. arguments.Split(' '), "--json"])).Output)!;

        ((string?)report["from"]!["name"], (string?)report["to"]!["name"]).ShouldBe((Id(from), Id(to)));
    }

    [Fact]
    public async Task As_json_it_has_what_changed_and_everything_only_on_demand()
    {
        JsonNode changed = JsonNode.Parse(
            (await AppProcess.RunAsync(folder.Path, "diff", Id(1), Id(2), "-d", "ciam_kratos", "--json")).Output
        )!;
        JsonNode all = JsonNode.Parse(
            (await AppProcess.RunAsync(folder.Path, "diff", Id(3), Id(4), "-d", "ciam_kratos", "--all", "--json")).Output
        )!;

        JsonNode database = changed["databases"]!.AsArray().ShouldHaveSingleItem()!;
        database["tables"]!
            .AsArray()
            .Select(static t => $"{t!["name"]} {t["change"]} {t["rows_delta"]}")
            .ShouldBe(["public.\"With Space\" gone 0", "public.identities changed 33", "public.sessions new 12"]);
        ((bool)database["schema_changed"]!, (bool)database["settings_changed"]!, (bool)changed["is_same"]!).ShouldBe((true, false, false));
        all["databases"]![0]!["tables"]!.AsArray().Count.ShouldBe(2);
        ((bool)all["is_same"]!).ShouldBeTrue();
    }

    [Fact]
    public async Task Of_another_major_version_the_schema_is_not_compared_and_that_is_said()
    {
        Manifest newer = Of(5);
        Put(newer with { Parts = [.. newer.Parts.Select(static p => p with { Proof = p.Proof with { DumpMajor = 18 } })] });

        string output = (await AppProcess.RunAsync(folder.Path, "diff")).Output;

        output.ShouldContain("ciam_kratos: the same (2 tables, 1,234,567 rows; the schema was not compared: another major version)");
        output.ShouldNotContain("roles");
    }

    [Theory]
    [InlineData("diff latest latest", 2, "PGB-0002")]
    [InlineData("diff latest", 2, "PGB-0002")]
    [InlineData("diff previous previous", 2, "PGB-0002")]
    [InlineData("diff live live", 2, "PGB-0002")]
    [InlineData("diff yesterday", 2, "PGB-0002")]
    [InlineData("diff latest live", 2, "PGB-0011")] // this config has no source
    [InlineData("diff 20260309T030000Z latest", 1, "PGB-0062")]
    [InlineData("diff previous 20260301T030000Z", 1, "PGB-0062")]
    [InlineData("diff --database nobody", 1, "PGB-0066")]
    [InlineData("diff --store elsewhere", 2, "PGB-0002")]
    public async Task What_cannot_be_compared_is_said_with_its_code(string arguments, int exitCode, string code)
    {
        AppResult result = await AppProcess.RunAsync(folder.Path, arguments.Split(' '));

        result.Errors.ShouldContain($"{code}: ");
        result.Errors.ShouldContain("\n  what to do: ");
        (result.ExitCode, result.Output).ShouldBe((exitCode, ""));
    }

    [Fact]
    public async Task A_database_that_only_the_snapshot_knows_cannot_be_compared_with_a_living_one()
    {
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nsource: {{ url: \"postgres://nobody@127.0.0.1:1/\" }}\ndatabases: [other]\nencryption: none\nstores: "
                + $"[{{ name: local, path: {folder["store"]} }}]\n"
        );

        AppResult result = await AppProcess.RunAsync(folder.Path, "diff", "latest", "live", "-d", "ciam_kratos");

        result.Errors.ShouldStartWith(
            "olympus-pgbackup: PGB-0066: the config does not name \"ciam_kratos\", so that nothing live can be compared.\n"
        );
        (result.ExitCode, result.Output).ShouldBe((1, ""));
    }

    private static string Id(int day) => $"2026030{day}T030000Z";

    private static Manifest Of(int day) => ManifestSample.Of(SnapshotId.TryParse(Id(day))!.Value);

    private static Part Database(int day, string name, long rows) =>
        Of(day).Databases.First() with
        {
            Database = name,
            Object = $"{Id(day)}-{name}.dump.gpg",
            Proof = ManifestSample.Proof(rows),
        };

    private void Put(Manifest manifest)
    {
        Directory.CreateDirectory(folder["store/" + manifest.Id]);
        File.WriteAllBytes(folder[$"store/{manifest.Id}/manifest.json"], manifest.ToJson());
        if (!manifest.IsComplete)
        {
            File.WriteAllText(folder[$"store/{manifest.Id}/INCOMPLETE"], "");
        }
    }
}
