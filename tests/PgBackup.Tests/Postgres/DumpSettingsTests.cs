using System.Text;
using PgBackup.Archives;
using PgBackup.Postgres;

namespace PgBackup.Tests.Postgres;

public sealed class DumpSettingsTests
{
    [Fact]
    public void Nothing_but_known_words_of_a_manifest_goes_to_a_session()
    {
        DumpSettings
            .Options(
                new Dictionary<string, string>
                {
                    ["TimeZone"] = "Europe/Berlin",
                    ["session_preload_libraries"] = "evil",
                    ["lc_monetary"] = "C -c session_preload_libraries=evil",
                    ["bytea_output"] = "hex\n",
                }
            )
            .ShouldBe(" -c TimeZone=Europe/Berlin");
        DumpSettings.Options(null).ShouldBe("");
        DumpSettings.Options(DumpSettings.Fixed).ShouldContain(" -c TimeZone=UTC");
    }

    [Fact]
    public void A_restore_reads_arrays_and_money_as_they_were_written_and_of_older_snapshots_arrays_alone()
    {
        DumpSettings.ReadingOptions(DumpSettings.Fixed).ShouldBe(" -c array_nulls=on -c lc_monetary=C");
        DumpSettings.ReadingOptions(null).ShouldBe(" -c array_nulls=on");
    }

    [Fact]
    public async Task Times_of_whole_columns_tell_the_zone_in_which_they_were_written()
    {
        var samples = new ZoneSamples();
        string rows = string.Concat(
            Enumerable.Range(0, 40_000).Select(static i => $"{i}\t2026-07-01 14:00:{i % 60:00}.5+02\tsaid 2026-07-01 14:00:00+09\n")
        );
        await samples.ReadAsync(
            new MemoryStream(Encoding.UTF8.GetBytes($"COPY t FROM stdin;\n{rows}2026-01-01 01:00:00+01\n\\.\n")),
            TestContext.Current.CancellationToken
        );

        samples.Times.ShouldBe(["2026-07-01 14:00:00.5+02", "2026-01-01 01:00:00+01"]);
    }

    [Theory]
    [InlineData(
        "CREATE TABLE t (a int)\nPARTITION BY HASH (a);",
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
        true
    )]
    [InlineData(
        "CREATE TABLE t (a int)\nPARTITION BY HASH (a);",
        "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION f();",
        false
    )]
    [InlineData("CREATE TABLE t (a int);", "CREATE CONSTRAINT TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();", false)]
    public void Triggers_for_each_row_of_partitioned_tables_are_seen(string table, string trigger, bool seen) =>
        SchemaFacts.HasRowTriggersOnPartitioned([table, trigger]).ShouldBe(seen);

    [Fact]
    public void What_the_target_computes_is_named()
    {
        SchemaFacts
            .Computed([
                "CREATE MATERIALIZED VIEW v AS SELECT 1 WITH NO DATA;",
                "CREATE TABLE t (\n    a integer,\n    b integer GENERATED ALWAYS AS ((a + 1)) STORED\n);",
            ])
            .ShouldBe(
                "the contents of 1 materialized view and of the generated columns of 1 table are not in a dump: the target computed "
                    + "them, and they were not compared."
            );
        SchemaFacts.Computed(["CREATE TABLE t (\n    a integer GENERATED ALWAYS AS IDENTITY\n);"]).ShouldBeNull();
    }
}
