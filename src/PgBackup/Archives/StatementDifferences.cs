using System.Text.RegularExpressions;

namespace PgBackup.Archives;

/// <summary>In what the statements of two scripts differ, in words that show it.</summary>
internal sealed partial record StatementDifferences
{
    private const int Shown = 5;
    private const int ShownLines = 4;
    private const int Width = 300;

    /// <summary>A line for each; a statement that both have with other lines is one, with these lines alone.</summary>
    public required IReadOnlyList<string> Lines { get; init; }

    /// <summary>
    /// Nothing differs but the names that the server gave to NOT NULL constraints: a table made LIKE another has that one's names (from
    /// Postgres 18 on, where they are in the dump), and gets its own when it is restored.
    /// </summary>
    public required bool OnlyNamesOfNotNull { get; init; }

    /// <summary>Compares the statements of which either script has more than the other.</summary>
    public static StatementDifferences Of(IReadOnlyList<string> missing, IReadOnlyList<string> surplus)
    {
        List<string> expected = Telling(missing);
        List<string> found = Telling(surplus);
        if (expected.Count + found.Count == 0)
        {
            (expected, found) = ([.. missing], [.. surplus]);
        }

        bool onlyNames = expected.Count > 0 && WithoutNames(expected).SequenceEqual(WithoutNames(found), StringComparer.Ordinal);
        List<string> lines = [];
        foreach (string statement in expected.ToArray())
        {
            string head = FirstLine(statement);
            if (head.Length < statement.Length && found.Find(f => FirstLine(f) == head) is { } other)
            {
                lines.Add($"{OneLine(head)} expected: {Only(statement, other)}; found: {Only(other, statement)}");
                expected.Remove(statement);
                found.Remove(other);
            }
        }

        List<string> all =
        [
            .. Some(lines),
            .. Some([.. expected.Select(static s => "expected, not found: " + OneLine(s))]),
            .. Some([.. found.Select(static s => "found, not expected: " + OneLine(s))]),
        ];
        return new StatementDifferences { Lines = all, OnlyNamesOfNotNull = onlyNames };
    }

    /// <summary>A statement on one line, without control characters, and cut where it is long.</summary>
    public static string OneLine(string statement)
    {
        string line = Blank().Replace(statement, " ");
        return line.Length > Width ? line[..(char.IsHighSurrogate(line[Width - 1]) ? Width - 1 : Width)] + " ..." : line;
    }

    // What pg_dump sets between statements differs as a consequence of these.
    private static List<string> Telling(IReadOnlyList<string> statements) =>
        [
            .. statements.Where(static s =>
                !s.StartsWith("SET ", StringComparison.Ordinal) && !s.StartsWith("RESET ", StringComparison.Ordinal)
            ),
        ];

    private static IEnumerable<string> WithoutNames(List<string> statements) =>
        statements.Select(static s => NotNull().Replace(s, "NOT NULL")).Order(StringComparer.Ordinal);

    private static IEnumerable<string> Some(List<string> lines) =>
        lines.Count > Shown ? [.. lines.Take(Shown), $"and {lines.Count - Shown} more like these"] : lines;

    private static string FirstLine(string statement) => statement.Split('\n', 2)[0];

    // The lines of one that the other lacks; commas at their ends depend on what follows.
    private static string Only(string statement, string other)
    {
        List<string> there = [.. other.Split('\n').Select(static l => l.Trim().TrimEnd(','))];
        string[] lines = [.. statement.Split('\n').Select(static l => l.Trim().TrimEnd(',')).Where(l => !there.Remove(l))];
        return lines.Length == 0
            ? "the rest"
            : string.Join(" / ", lines.Take(ShownLines).Select(OneLine))
                + (lines.Length > ShownLines ? $" / and {lines.Length - ShownLines} lines more" : "");
    }

    [GeneratedRegex("""CONSTRAINT (?:"(?:[^"]|"")*_not_null[0-9]*"|[^\s"]+_not_null[0-9]*) NOT NULL""")]
    private static partial Regex NotNull();

    [GeneratedRegex(@"[\s\p{Cc}\p{Cf}]+")]
    private static partial Regex Blank();
}
