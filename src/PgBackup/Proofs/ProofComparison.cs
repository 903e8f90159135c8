using System.Globalization;

namespace PgBackup.Proofs;

/// <summary>What differs between the proof of a snapshot and that of what was restored from it.</summary>
public sealed record ProofComparison
{
    /// <summary>The first word of the difference that statements of the schema are.</summary>
    public const string Schema = "schema";

    /// <summary>One sentence for each difference; empty when both are equal.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    /// <summary>False when the schema could not be compared, because another major version of pg_dump words it differently.</summary>
    public required bool SchemaCompared { get; init; }

    /// <summary>False when statements of the schema, or of the database itself, are among the differences.</summary>
    public required bool StatementsEqual { get; init; }

    /// <summary>False when a table has as many rows as expected, and others.</summary>
    public required bool ContentsEqual { get; init; }

    /// <summary>Both are equal, as far as they could be compared.</summary>
    public bool IsEqual => Differences.Count == 0;

    /// <summary>Compares; the sentences say "expected" of the first and "found" of the second.</summary>
    public static ProofComparison Of(Proof expected, Proof found)
    {
        List<string> differences = [];
        bool contentsEqual = true;
        foreach (string table in expected.Tables.Keys.Union(found.Tables.Keys).Order(StringComparer.Ordinal))
        {
            bool isExpected = expected.Tables.TryGetValue(table, out TableProof? e);
            bool isFound = found.Tables.TryGetValue(table, out TableProof? f);
            if (!isExpected || !isFound)
            {
                differences.Add($"table {table} {(isExpected ? "is missing" : "is there, but not in the snapshot")}");
            }
            else if (e != f)
            {
                contentsEqual &= e!.Rows != f!.Rows;
                differences.Add(
                    e!.Rows != f!.Rows
                        ? string.Create(CultureInfo.InvariantCulture, $"table {table}: {e.Rows} rows expected, {f.Rows} found")
                        : string.Create(CultureInfo.InvariantCulture, $"table {table}: the {e.Rows} rows have other contents")
                );
            }
        }

        foreach (string sequence in expected.Sequences.Keys.Union(found.Sequences.Keys).Order(StringComparer.Ordinal))
        {
            string e = expected.Sequences.GetValueOrDefault(sequence, "none");
            string f = found.Sequences.GetValueOrDefault(sequence, "none");
            if (e != f)
            {
                differences.Add($"sequence {sequence}: {e} expected, {f} found");
            }
        }

        Compare(differences, expected.LargeObjects, found.LargeObjects);

        bool comparable = expected.DumpMajor == found.DumpMajor;
        if (comparable)
        {
            Compare(differences, Schema, expected.Schema, found.Schema);
            Compare(differences, "settings, owner or privileges of the database itself", expected.Database, found.Database);
        }

        bool statementsDiffer = comparable && (expected.Schema != found.Schema || expected.Database != found.Database);
        return new ProofComparison
        {
            Differences = differences,
            SchemaCompared = comparable,
            StatementsEqual = !statementsDiffer,
            ContentsEqual = contentsEqual,
        };
    }

    private static void Compare(List<string> differences, TableProof expected, TableProof found)
    {
        if (expected == found)
        {
            return;
        }

        string others = expected.Bytes == found.Bytes ? " (other contents)" : "";
        differences.Add(
            string.Create(
                CultureInfo.InvariantCulture,
                $"large objects: {expected.Rows} with {expected.Bytes} bytes expected, {found.Rows} with {found.Bytes} bytes found{others}"
            )
        );
    }

    private static void Compare(List<string> differences, string what, StatementsProof expected, StatementsProof found)
    {
        if (expected != found)
        {
            differences.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{what}: {expected.Count} statements expected, {found.Count} found{(expected.Count == found.Count ? " (others)" : "")}"
                )
            );
        }
    }
}
