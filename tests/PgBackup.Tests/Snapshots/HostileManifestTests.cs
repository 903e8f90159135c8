using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Operations.Prune;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Storage.Local;
using PgBackup.Tests.Operations;

namespace PgBackup.Tests.Snapshots;

/// <summary>A manifest lies in a store, where others may write: whatever stands in it, nothing but its own snapshot suffers.</summary>
public sealed class HostileManifestTests : IDisposable
{
    private static readonly string[] Values =
    [
        "null",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1e400",
        "-1e400",
        "0.5",
        "true",
        "[]",
        "{}",
        "[null]",
        "[[[[]]]]",
        "\"\"",
        "\"\\u0000\"",
        "\"../x\"",
        "\"/etc/passwd\"",
        "\"20260302T030000Z\"",
        "\"99991231T235959Z\"",
        "\"0001-01-01T00:00:00+00:00\"",
        "\"9999-12-31T23:59:59+00:00\"",
        "\"x\\ny\"",
        "\"globals\"",
        "\"database\"",
        "\"--output=/tmp/x\"",
        "\"17\"",
        "\"abc\"",
        "\"\\u001b[2J\"",
    ];

    private readonly Stores stores = new();

    public void Dispose() => stores.Dispose();

    [Theory]
    [InlineData("object", "\"../20260302T030000Z/manifest.json\"")]
    [InlineData("object", "\"manifest.json\"")]
    [InlineData("object", "\"20260302T030000Z-ciam_kratos.dump.gpg\"")]
    [InlineData("object", "\"20260301T030000Z-other.dump.gpg\"")]
    [InlineData("object", "\"\"")]
    [InlineData("size", "9223372036854775807")]
    [InlineData("size", "-1")]
    [InlineData("plain_size", "9223372036854775807")]
    [InlineData("database", "null")]
    [InlineData("database", "\"\"")]
    [InlineData("database", "\"a\\u0000b\"")]
    [InlineData("kind", "\"other\"")]
    [InlineData("sha256", "\"x\"")]
    [InlineData("seconds", "1e400")]
    [InlineData("encoding", "\"--x\"")]
    [InlineData("warnings", "[null]")]
    public void A_part_that_no_run_could_have_written_makes_the_manifest_unreadable(string property, string value)
    {
        JsonObject json = Sample();
        json["parts"]![1]![property] = JsonNode.Parse(value);

        Unreadable(json);
    }

    [Theory]
    [InlineData("\"other\"", "it has a part that is neither the roles nor a database")]
    [InlineData("\"Database\"", "it has a part that is neither the roles nor a database")]
    [InlineData("\"globals, database\"", "it has a part that is neither the roles nor a database")]
    [InlineData("\"unknown\"", "it has a part that is neither the roles nor a database")]
    [InlineData("\"2\"", "it has a part that is neither the roles nor a database")]
    [InlineData("\"\"", "it has a part that is neither the roles nor a database")]
    [InlineData("2", "$.parts[1].kind is missing, or of another kind than a manifest has there")]
    [InlineData("null", "$.parts[1].kind is missing, or of another kind than a manifest has there")]
    [InlineData("{}", "$.parts[1].kind is missing, or of another kind than a manifest has there")]
    public void A_kind_of_part_that_no_version_has_written_is_told_in_words(string kind, string why)
    {
        JsonObject json = Sample();
        json["parts"]![1]!["kind"] = JsonNode.Parse(kind);

        Unreadable(json).Message.ShouldBe($"x cannot be read: {why}.");
    }

    [Theory]
    [InlineData("id", "\"x\"")]
    [InlineData("id", "\"99991231T235959Z\"")]
    [InlineData("server_version", "\"\"")]
    [InlineData("server_version", "\"x\"")]
    [InlineData("dump_version", "\"99999999999999999999.1\"")]
    [InlineData("encryption", "\"\"")]
    [InlineData("encryption", "\"a kind\\nof two lines\"")]
    [InlineData("encryption", "1")]
    [InlineData("started", "\"0001-01-01T00:00:00+00:00\"")]
    [InlineData("skew_ms", "-1")]
    [InlineData("notes", "[null]")]
    public void So_does_a_value_of_its_own(string property, string value)
    {
        JsonObject json = Sample();
        json[property] = JsonNode.Parse(value);

        Unreadable(json);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("""{"public.a": null}""")]
    [InlineData("""{"public.a": {}}""")]
    [InlineData("""{"public.a": {"columns": null}}""")]
    [InlineData("""{"public.a": {"columns": [null]}}""")]
    [InlineData("""{"public.a": {"columns": [1]}}""")]
    [InlineData("""{"public.a": {"columns": [""]}}""")]
    [InlineData("""{"public.a": {"columns": ["a\u0000b"]}}""")]
    [InlineData("""{"": {"columns": ["a"]}}""")]
    [InlineData("""{"public.a": {"columns": ["a"], "root": ""}}""")]
    [InlineData("""{"public.a": {"columns": ["a"], "root": "public.a"}}""")]
    [InlineData("""{"public.a": {"columns": ["a"], "root": "public.b"}, "public.b": {"columns": [], "root": "public.a"}}""")]
    [InlineData("""{"public.a": {"columns": ["a"], "root": "public.b"}, "public.b": {"columns": [], "root": "public.c"}}""")]
    [InlineData("""{"public.a": {"columns": {"a": 1}}}""")]
    public void So_do_shapes_of_tables_that_cannot_be(string tables)
    {
        JsonObject json = Sample();
        json["parts"]![1]!["tables"] = JsonNode.Parse(tables);
        if (tables == "null")
        {
            Manifest.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), "x").Databases.First().Tables.ShouldBeNull();
            return;
        }

        Unreadable(json);
    }

    [Theory]
    [InlineData("losses", "since", "\"latest\"")]
    [InlineData("losses", "before", "-1")]
    [InlineData("losses", "now", "9223372036854775807")]
    [InlineData("losses", "database", "\"\"")]
    [InlineData("losses", "table", "\"\"")]
    [InlineData("losses", "column", "\"a\\u0000b\"")]
    [InlineData("losses", "renamed_to", "\"\"")]
    [InlineData("losses", "severity", "null")]
    [InlineData("settled", "database", "null")]
    [InlineData("settled", "snapshot", "\"x\"")]
    public void So_do_losses_that_cannot_be(string list, string property, string value)
    {
        JsonObject json = Sample();
        json["losses"] = JsonNode.Parse(
            """[{"kind": "table_gone", "database": "d", "table": "t", "before": 1, "now": 0, "since": "20260101T000000Z", "severity": "error"}]"""
        );
        json["settled"] = JsonNode.Parse("""[{"database": "d", "table": "t", "snapshot": "20260101T000000Z"}]""");
        Manifest.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), "x").Losses.ShouldHaveSingleItem().Subject.ShouldBe("d.t");
        json[list]![0]![property] = JsonNode.Parse(value);

        Unreadable(json);

        json[list] = JsonNode.Parse("[null]");
        Unreadable(json);
    }

    [Fact]
    public void So_does_a_database_that_is_in_it_twice()
    {
        JsonObject json = Sample();
        json["parts"]!.AsArray().Add(json["parts"]![1]!.DeepClone());
        Unreadable(json);

        json = Sample();
        json["parts"]!.AsArray().Add(json["parts"]![0]!.DeepClone());
        Unreadable(json);
    }

    [Fact]
    public void So_do_rows_whose_sum_no_number_holds()
    {
        JsonObject json = Sample();
        foreach ((string _, JsonNode? table) in json["parts"]![1]!["proof"]!["tables"]!.AsObject())
        {
            table!["rows"] = long.MaxValue;
        }

        Unreadable(json);
    }

    [Fact]
    public void So_does_half_a_character()
    {
        string json = Sample().ToJsonString().Replace("ciam_kratos\"", "\\ud800\"", StringComparison.Ordinal);

        Should.Throw<PgBackupException>(() => Manifest.Read(Encoding.UTF8.GetBytes(json), "x")).Code.ShouldBe(ErrorCode.ManifestUnreadable);
    }

    /// <summary>Two thousand manifests with one to three values exchanged, left out or doubled; the seed is printed with a
    /// failure.</summary>
    [Fact]
    public async Task Whatever_stands_in_a_manifest_only_errors_with_a_code_come_out_of_its_readers()
    {
        LocalStore store = stores.Open("local");
        SnapshotSample good = await SnapshotSample.Of(SnapshotSample.Day(20)).PutAsync(store);
        SnapshotSample bad = await SnapshotSample.Of(SnapshotSample.Day(21)).PutAsync(store);
        int read = 0;
        for (int seed = 0; seed < 2000; seed++)
        {
            byte[] json = Mutated(bad.Manifest.ToJson(), new Random(seed));
            try
            {
                Manifest manifest = Manifest.Read(json, "x");
                read++;
                _ = RestoreGuide.Write(manifest);
                _ = (manifest.Sums, manifest.StoredBytes, manifest.Databases.Sum(static d => d.Proof.Rows + d.Proof.Bytes));
            }
            catch (PgBackupException)
            {
                // As it should be.
            }
            catch (Exception e)
            {
                throw new InvalidOperationException(
                    string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {Encoding.UTF8.GetString(json)}"),
                    e
                );
            }

            if (seed % 20 == 0)
            {
                await UseAsync(store, bad, json, seed);
            }
        }

        read.ShouldBeInRange(100, 1900); // the mutations are neither all harmless nor all fatal
        (await new Catalog(store, stores.Clock).FindAsync(SnapshotRef.Of(good.Id), Cancel)).Id.ShouldBe(good.Id);
    }

    // Every operation that opens manifests: the bad one is a finding, and the good one is found.
    private async Task UseAsync(LocalStore store, SnapshotSample bad, byte[] json, int seed)
    {
        await bad.PutAsync(store, SnapshotLayout.Manifest, json);
        try
        {
            var catalog = new Catalog(store, stores.Clock);
            (await catalog.ListAsync(Cancel)).Count.ShouldBe(2);
            _ = await catalog.LatestAsync(Cancel);
            _ = await catalog.BeforeAsync(bad.Id, Cancel);
            _ = await new StoresCheck([Stores.Kept(store)], SnapshotSample.Cluster, stores.Clock, static s => Stores.CheckOf(s)).RunAsync(
                null,
                CheckDepth.Present,
                Cancel
            );
            _ = await new PruneOperation(
                Stores.Kept(store, new RetentionRules { All = RetentionLength.Of(1, RetentionUnit.Days) }),
                stores.Clock,
                new Progress()
            ).RunAsync(dryRun: true, unattended: true, Cancel);
        }
        catch (PgBackupException)
        {
            // As it should be.
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new InvalidOperationException(
                string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {Encoding.UTF8.GetString(json)}"),
                e
            );
        }
    }

    private static byte[] Mutated(byte[] json, Random random)
    {
        JsonNode root = JsonNode.Parse(json)!;
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            List<JsonNode> holders = [];
            Collect(root, holders);
            switch (holders[random.Next(holders.Count)])
            {
                case JsonObject one:
                    string name = one.ElementAt(random.Next(one.Count)).Key;
                    if (random.Next(8) == 0)
                    {
                        one.Remove(name);
                    }
                    else
                    {
                        one[name] = JsonNode.Parse(Values[random.Next(Values.Length)]);
                    }

                    break;
                case JsonArray many:
                    int index = random.Next(many.Count);
                    if (random.Next(2) == 0)
                    {
                        many.Add(many[index]?.DeepClone());
                    }
                    else
                    {
                        many[index] = JsonNode.Parse(Values[random.Next(Values.Length)]);
                    }

                    break;
                default:
                    break;
            }
        }

        return Encoding.UTF8.GetBytes(root.ToJsonString());
    }

    private static void Collect(JsonNode? node, List<JsonNode> holders)
    {
        if (node is JsonObject { Count: > 0 } one)
        {
            holders.Add(one);
            foreach ((string _, JsonNode? below) in one)
            {
                Collect(below, holders);
            }
        }
        else if (node is JsonArray { Count: > 0 } many)
        {
            holders.Add(many);
            foreach (JsonNode? below in many)
            {
                Collect(below, holders);
            }
        }
    }

    private static JsonObject Sample() => JsonNode.Parse(ManifestSample.Of(ManifestSample.Id).ToJson())!.AsObject();

    private static PgBackupException Unreadable(JsonObject json)
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => Manifest.Read(Encoding.UTF8.GetBytes(json.ToJsonString()), "x"));
        error.Code.ShouldBe(ErrorCode.ManifestUnreadable);
        return error;
    }
}
