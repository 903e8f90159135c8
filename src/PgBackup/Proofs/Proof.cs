namespace PgBackup.Proofs;

/// <summary>
/// What a restored database must equal, read from the SQL script of its dump: rows, bytes and digest of every table, every
/// sequence's state, large objects, and a digest of all schema statements. Two databases with equal proofs have equal content.
/// </summary>
public sealed record Proof
{
    /// <summary>The major version of the pg_dump that wrote the script: schema statements compare within one major only.</summary>
    public required int DumpMajor { get; init; }

    /// <summary>By table, named as in the script (<c>public.identities</c>, quoted where SQL needs it).</summary>
    public required SortedDictionary<string, TableProof> Tables { get; init; }

    /// <summary>By sequence: <c>last_value,is_called</c>.</summary>
    public required SortedDictionary<string, string> Sequences { get; init; }

    /// <summary>The large objects together.</summary>
    public required TableProof LargeObjects { get; init; }

    /// <summary>Definitions, owners, privileges, comments: each statement one element.</summary>
    public required StatementsProof Schema { get; init; }

    /// <summary>Owner, privileges, settings, comment and locale of the database itself, its own name taken out.</summary>
    public required StatementsProof Database { get; init; }

    /// <summary>All rows.</summary>
    public long Rows => Tables.Values.Sum(static t => t.Rows);

    /// <summary>All bytes of table data, in COPY text form.</summary>
    public long Bytes => Tables.Values.Sum(static t => t.Bytes) + LargeObjects.Bytes;
}

/// <summary>The content of one table (or of all large objects, one "row" each).</summary>
public sealed record TableProof
{
    /// <summary>The number of rows.</summary>
    public required long Rows { get; init; }

    /// <summary>Bytes in COPY text form, line ends included.</summary>
    public required long Bytes { get; init; }

    /// <summary>SHA-256 of each row, added modulo 2^256: 64 hexadecimal digits.</summary>
    public required string Digest { get; init; }
}

/// <summary>A multiset of statements.</summary>
public sealed record StatementsProof
{
    /// <summary>How many statements.</summary>
    public required long Count { get; init; }

    /// <summary>SHA-256 of each statement, added modulo 2^256: 64 hexadecimal digits.</summary>
    public required string Digest { get; init; }
}
