using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>Losses that were announced before the run, for a migration.</summary>
public static class ExpectedLosses
{
    /// <summary>
    /// Marks the losses that were announced. What names a table stands for its columns too; what names a database, for the whole database
    /// alone. Quotes may be left out.
    /// </summary>
    /// <param name="losses">What a comparison found.</param>
    /// <param name="expected"><c>DATABASE</c>, <c>DATABASE.SCHEMA.TABLE</c> or <c>DATABASE.SCHEMA.TABLE.COLUMN</c>.</param>
    /// <returns>The same losses, and a note for each announcement that no loss matched.</returns>
    public static (IReadOnlyList<Loss> Losses, IReadOnlyList<Finding> Notes) Mark(
        IReadOnlyList<Loss> losses,
        IReadOnlyList<string> expected
    )
    {
        HashSet<string> matched = [];
        List<Loss> marked = [];
        foreach (Loss loss in losses)
        {
            List<string> by = [.. expected.Where(e => Names(e, loss))];
            matched.UnionWith(by);
            marked.Add(by.Count > 0 ? loss with { IsExpected = true } : loss);
        }

        return (
            marked,
            [
                .. expected
                    .Where(e => !matched.Contains(e))
                    .Distinct(StringComparer.Ordinal)
                    .Select(static e =>
                        Finding.Note(
                            ErrorCode.ExpectationUnmet,
                            e,
                            $"the expected loss of {e} did not happen: the snapshot lacks nothing of it"
                        )
                    ),
            ]
        );
    }

    /// <summary>A name that somebody typed stands for a loss.</summary>
    internal static bool Names(string expected, Loss loss) =>
        Bare(expected) == Bare(loss.Subject) || (loss.Table is { } table && Bare(expected) == Bare($"{loss.Database}.{table}"));

    private static string Bare(string name) => name.Replace("\"", "", StringComparison.Ordinal);
}
