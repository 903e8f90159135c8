using System.Text.RegularExpressions;
using PgBackup.Encryption;
using PgBackup.Proofs;

namespace PgBackup.Snapshots;

/// <summary>
/// What a manifest may say. It comes out of a store, which others may write to: so every value that is used in a key, in a sum or with a
/// tool is one that this program could have written.
/// </summary>
internal static partial class ManifestRules
{
    // Of one size, and of all together: far more than any cluster, and far from where a sum of them ends.
    private const long LargestSize = 1L << 50;
    private const decimal LargestSum = 1L << 60;
    private const int LongestName = 1000;

    // A schema and a name, each in quotes and with quotes in it.
    private const int LongestTable = 4000;

    // Postgres has 1,600 at most.
    private const int MostColumns = 10_000;

    private const double LongestSeconds = 1e9;

    private static readonly string[] Extensions = ["", ".gpg", ".age"];

    /// <summary>The first thing in it that cannot be; null where there is none.</summary>
    public static string? Problem(Manifest manifest)
    {
        if (SnapshotId.TryParse(manifest.Id) is not { } id)
        {
            return "its id is none";
        }

        return manifest.Format < 1 ? "its format is none"
            : EncryptionKinds.TryParse(manifest.Encryption) is null ? "its encryption is of no known kind"
            : !IsVersion(manifest.ServerVersion) || !IsVersion(manifest.DumpVersion) ? "a version in it is none"
            : !IsTime(manifest.Started) || !IsTime(manifest.Finished) || manifest.SkewMs is not (>= 0 and <= LongestSeconds * 1000)
                ? "a time in it cannot be"
            : manifest.Recipients.Any(static r =>
                r is null || !IsWord(r.Fingerprint) || (r.Expires is { } expires && expires.Year is < 1970 or > 9000)
            )
                ? "it has a recipient that cannot be"
            : manifest.Failures.Any(static f => f is null)
            || manifest.Findings.Any(static f => f is null)
            || HasNull(
                manifest.Notes,
                manifest.LeftOut,
                manifest.EarlierWarnings ?? [],
                manifest.ServerDatabases ?? [],
                manifest.DumpSettings?.Values ?? []
            )
                ? "it has an empty entry"
            : manifest.Losses.Any(static l => l is null || !IsLoss(l)) ? "it has a loss that cannot be"
            : manifest.Settled.Any(static l => l is null || !IsSettledLoss(l)) ? "it has a settled loss that cannot be"
            : manifest.Parts.Any(static p => p is null) ? "it has an empty part"
            : manifest.Parts.Select(p => Problem(p, id)).FirstOrDefault(static p => p is not null)
                ?? (
                    manifest.Parts.Count(static p => p.Kind == PartKind.Globals) > 1 ? "it has the roles twice"
                    : manifest.Databases.DistinctBy(static p => p.Database, StringComparer.Ordinal).Count() != manifest.Databases.Count()
                        ? "it has a database twice"
                    : manifest.Parts.DistinctBy(static p => p.Object, StringComparer.Ordinal).Count() != manifest.Parts.Count
                        ? "it has an object twice"
                    : manifest.Parts.Sum(static p => (decimal)p.Size) > LargestSum
                    || manifest.Parts.Sum(static p => Sum(p.Proof)) > LargestSum
                        ? "its sizes together cannot be"
                    : null
                );
    }

    private static string? Problem(Part part, SnapshotId id)
    {
        if (part.Kind == PartKind.Globals)
        {
            if (part.Database is not null || !Extensions.Any(e => part.Object == SnapshotLayout.GlobalsName(id, e)))
            {
                return "the object of its roles has a name that no such object has";
            }
        }
        else if (
            part.Kind != PartKind.Database
            || part.Database is not { Length: > 0 and <= LongestName } name
            || name.Contains('\0', StringComparison.Ordinal)
        )
        {
            return "it has a part that is neither the roles nor a database";
        }
        else if (!Extensions.Any(e => part.Object == SnapshotLayout.DatabaseName(id, name, e)))
        {
            return "the object of a database has a name that no such object has";
        }
        else if (part.Encoding is null || !IsWord(part.Encoding))
        {
            return "a database has no encoding";
        }

        return part.Size is not (>= 0 and <= LargestSize) || part.PlainSize is not (>= 0 and <= LargestSize) ? "a size in it cannot be"
            : !IsDigest(part.Sha256) || !IsDigest(part.PlainSha256) ? "a digest in it is none"
            : part.Seconds is not (>= 0 and <= LongestSeconds) ? "a time in it cannot be"
            : HasNull(part.Warnings) || part.Proof is null || !IsProof(part.Proof) ? "a proof in it cannot be"
            : part.Tables is { } tables && !AreShapes(tables) ? "what it says of a table's columns cannot be"
            : null;
    }

    // A table at the top is a part of nothing: so no shape leads in a circle.
    private static bool AreShapes(SortedDictionary<string, TableShape> tables) =>
        tables.All(t =>
            t.Value is { } shape
            && IsName(t.Key, LongestTable)
            && shape.Columns.Count <= MostColumns
            && shape.Columns.All(static c => IsName(c, LongestName))
            && shape.Date is null or { Length: 4 or 6 or 8 }
            && (
                shape.Root is null
                || (
                    IsName(shape.Root, LongestTable)
                    && shape.Root != t.Key
                    && tables.GetValueOrDefault(shape.Root) is not { Root: not null }
                )
            )
        );

    private static bool IsLoss(Loss loss) =>
        SnapshotId.TryParse(loss.Since) is not null
        && loss.Before is >= 0 and <= LargestSize
        && loss.Now is >= 0 and <= LargestSize
        && IsThing(loss.Database, loss.Table, loss.Column)
        && (loss.RenamedTo is null || IsName(loss.RenamedTo, LongestTable));

    private static bool IsSettledLoss(SettledLoss loss) =>
        SnapshotId.TryParse(loss.Snapshot) is not null && IsThing(loss.Database, loss.Table, loss.Column);

    private static bool IsThing(string database, string? table, string? column) =>
        IsName(database, LongestName)
        && (table is null || IsName(table, LongestTable))
        && (column is null || (table is not null && IsName(column, LongestName)));

    private static bool IsName(string? name, int longest) =>
        name is { Length: > 0 } && name.Length <= longest && !name.Contains('\0', StringComparison.Ordinal);

    private static bool IsProof(Proof proof) =>
        proof.DumpMajor is > 0 and < 1000
        && proof.Tables.Values.All(static t => t is not null && IsTable(t))
        && proof.Sequences.Values.All(static s => s is not null)
        && IsTable(proof.LargeObjects)
        && IsStatements(proof.Schema)
        && IsStatements(proof.Database);

    private static bool IsTable(TableProof table) =>
        table is { Rows: >= 0 and <= LargestSize, Bytes: >= 0 and <= LargestSize } && IsDigest(table.Digest);

    private static bool IsStatements(StatementsProof statements) =>
        statements is { Count: >= 0 and <= LargestSize } && IsDigest(statements.Digest);

    private static decimal Sum(Proof proof) => proof.LargeObjects.Bytes + proof.Tables.Values.Sum(static t => (decimal)t.Rows + t.Bytes);

    private static bool HasNull(params IEnumerable<IEnumerable<string>> lists) => lists.Any(static l => l.Any(static s => s is null));

    private static bool IsTime(DateTimeOffset time) => time.UtcDateTime.Year is >= 1970 and <= 9000;

    // What is given to a tool, or shown as what to give to one.
    private static bool IsWord(string text) => text.Length is > 0 and <= LongestName && text[0] != '-' && !text.Any(char.IsControl);

    private static bool IsVersion(string text) => Version().IsMatch(text);

    private static bool IsDigest(string text) => Digest().IsMatch(text);

    [GeneratedRegex(@"\A[1-9][0-9]{0,2}(?![0-9])[0-9A-Za-z.+~_ ()-]{0,100}\z")]
    private static partial Regex Version();

    [GeneratedRegex(@"\A[0-9a-f]{64}\z")]
    private static partial Regex Digest();
}
