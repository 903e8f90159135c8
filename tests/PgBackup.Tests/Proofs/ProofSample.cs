using System.Globalization;
using PgBackup.Proofs;

namespace PgBackup.Tests.Proofs;

/// <summary>The proof of a small database.</summary>
internal static class ProofSample
{
    /// <summary>One with two tables, of which one has rows.</summary>
    public static Proof Of(long rows) =>
        new()
        {
            DumpMajor = 17,
            Tables = new(StringComparer.Ordinal)
            {
                ["public.identities"] = new TableProof
                {
                    Rows = rows,
                    Bytes = rows * 10,
                    Digest = rows.ToString("x64", CultureInfo.InvariantCulture),
                },
                ["public.\"With Space\""] = new TableProof
                {
                    Rows = 0,
                    Bytes = 0,
                    Digest = new string('0', 64),
                },
            },
            Sequences = new(StringComparer.Ordinal) { ["public.identities_id_seq"] = "42,true" },
            LargeObjects = new TableProof
            {
                Rows = 1,
                Bytes = 5,
                Digest = new string('b', 64),
            },
            Schema = new StatementsProof { Count = 12, Digest = new string('c', 64) },
            Database = new StatementsProof { Count = 3, Digest = new string('d', 64) },
        };
}
