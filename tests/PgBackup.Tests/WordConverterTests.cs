using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Operations;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Restore;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.Tests;

/// <summary>Words lie in stores, and are read by scripts: none may change.</summary>
public sealed class WordConverterTests
{
    [Fact]
    public void The_kinds_of_parts_have_their_words() => Words<PartKind>(PartKinds.Word).ShouldBe(["unknown", "globals", "database"]);

    [Fact]
    public void The_verdicts_of_restores_have_theirs() =>
        Words<RestoreVerdict>(RestoreVerdicts.Word).ShouldBe(["unknown", "equal", "rows equal", "FAILED"]);

    [Fact]
    public void The_verdicts_of_application_keys_have_theirs() =>
        Words<SecretVerdict>(SecretVerdicts.Word)
            .ShouldBe(["unknown", "decrypts", "WRONG KEY", "nothing encrypted", "not testable", "not tested", "FAILED"]);

    [Fact]
    public void The_severities_have_theirs() => Words<Severity>(Severities.Word).ShouldBe(["ok", "note", "warning", "error"]);

    [Fact]
    public void The_kinds_of_records_have_theirs() =>
        Words<RecordKind>(RecordKinds.Word)
            .ShouldBe([
                "unknown",
                "run",
                "prune",
                "restore",
                "drill",
                "key-test",
                "confirm",
                "pin",
                "unpin",
                "repair",
                "notice",
                "check",
                "damage",
                "key-reminder",
            ]);

    [Fact]
    public void The_results_of_records_have_theirs() =>
        Words<RecordResult>(RecordResults.Word).ShouldBe(["unknown", "ok", "partial", "failed"]);

    [Fact]
    public void The_states_of_a_list_have_theirs() =>
        Words<ListedState>(ListedStates.Word)
            .ShouldBe(["complete", "incomplete", "unfinished", "no manifest", "unreadable", "newer version"]);

    [Fact]
    public void The_states_of_a_part_have_theirs() =>
        Words<PartState>(PartStates.Word)
            .ShouldBe(["waiting", "reading", "dumping", "checking", "copying", "restoring", "comparing", "moving", "done", "failed"]);

    [Fact]
    public void Each_member_is_in_json_as_its_word()
    {
        AsItsWord<PartKind>(PartKinds.Word);
        AsItsWord<RestoreVerdict>(RestoreVerdicts.Word);
        AsItsWord<SecretVerdict>(SecretVerdicts.Word);
        AsItsWord<ListedState>(ListedStates.Word);
        AsItsWord<Severity>(Severities.Word);
        AsItsWord<RecordKind>(RecordKinds.Word);
        AsItsWord<RecordResult>(RecordResults.Word);
    }

    [Theory]
    [InlineData("\"Equal\"")]
    [InlineData("\"EQUAL\"")]
    [InlineData("\"equal, FAILED\"")]
    [InlineData("\"1\"")]
    [InlineData("\"\"")]
    [InlineData("\"a new word\"")]
    public void Any_other_word_is_unknown_where_that_is_a_member(string json) =>
        JsonSerializer.Deserialize<RestoreVerdict>(json).ShouldBe(RestoreVerdict.Unknown);

    [Theory]
    [InlineData("\"Complete\"")]
    [InlineData("\"a new word\"")]
    [InlineData("0")]
    [InlineData("null")]
    public void And_an_error_where_it_is_none(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<ListedState>(json));

    [Theory]
    [InlineData("1")]
    [InlineData("99")]
    [InlineData("null")]
    [InlineData("true")]
    [InlineData("{}")]
    [InlineData("[\"equal\"]")]
    public void What_is_no_text_is_always_an_error(string json) =>
        Should.Throw<JsonException>(() => JsonSerializer.Deserialize<RestoreVerdict>(json));

    private static IEnumerable<string> Words<T>(Func<T, string> word)
        where T : struct, Enum => Enum.GetValues<T>().Select(word);

    private static void AsItsWord<T>(Func<T, string> word)
        where T : struct, Enum
    {
        foreach (T value in Enum.GetValues<T>())
        {
            string json = JsonSerializer.Serialize(value);

            json.ShouldBe($"\"{word(value)}\"");
            JsonSerializer.Deserialize<T>(json).ShouldBe(value);
        }
    }
}
