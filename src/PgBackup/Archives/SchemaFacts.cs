using System.Text.RegularExpressions;

namespace PgBackup.Archives;

/// <summary>What the statements of a dump's schema say about how to restore it, and about what cannot be compared.</summary>
internal static partial class SchemaFacts
{
    /// <summary>
    /// There are triggers for each row, and partitioned tables that may have them. It is not looked at which table has which: the way that
    /// is right for them is right for all others.
    /// </summary>
    public static bool HasRowTriggersOnPartitioned(IReadOnlyList<string> statements) =>
        statements.Any(static s =>
            s.StartsWith("CREATE TABLE ", StringComparison.Ordinal) && s.Contains("\nPARTITION BY ", StringComparison.Ordinal)
        ) && statements.Any(static s => Trigger().IsMatch(s) && s.Contains(" FOR EACH ROW ", StringComparison.Ordinal));

    /// <summary>What the target computes by itself, since a dump does not have it: a sentence, or null for nothing.</summary>
    public static string? Computed(IReadOnlyList<string> statements)
    {
        int views = statements.Count(static s => s.StartsWith("CREATE MATERIALIZED VIEW ", StringComparison.Ordinal));
        int tables = statements.Count(static s => s.StartsWith("CREATE TABLE ", StringComparison.Ordinal) && Stored().IsMatch(s));
        string[] what =
        [
            .. views > 0 ? [$"{Words.Count(views, "materialized view")}"] : Array.Empty<string>(),
            .. tables > 0 ? [$"the generated columns of {Words.Count(tables, "table")}"] : Array.Empty<string>(),
        ];
        return what.Length == 0
            ? null
            : $"the contents of {string.Join(" and of ", what)} are not in a dump: the target computed them, and they were not compared.";
    }

    [GeneratedRegex("^CREATE (CONSTRAINT )?TRIGGER ")]
    private static partial Regex Trigger();

    [GeneratedRegex(@" GENERATED ALWAYS AS \(.*\) STORED")]
    private static partial Regex Stored();
}
