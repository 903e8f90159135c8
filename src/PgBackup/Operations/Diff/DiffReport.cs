using PgBackup.Postgres;
using PgBackup.Proofs;

namespace PgBackup.Operations.Diff;

/// <summary>What changed between two snapshots, or between a snapshot and the live databases.</summary>
public sealed record DiffReport
{
    /// <summary>What is compared.</summary>
    public required DiffSide From { get; init; }

    /// <summary>With what.</summary>
    public required DiffSide To { get; init; }

    /// <summary>Each database of either, in the order of their names.</summary>
    public required IReadOnlyList<DatabaseDiff> Databases { get; init; }

    /// <summary>Roles, memberships or tablespaces differ; null when one side has none, or other major versions word them
    /// differently.</summary>
    public bool? RolesChanged { get; init; }

    /// <summary>Why tables may look changed that are not; null for no reason.</summary>
    public string? Note { get; init; }

    /// <summary>Everything could be compared, and is the same.</summary>
    public bool IsSame => RolesChanged is not true && Databases.All(static d => d.Change == DatabaseDiff.Same);

    /// <summary>The databases that could not be read.</summary>
    public IEnumerable<DatabaseDiff> Failed => Databases.Where(static d => d.Problem is not null);

    /// <summary>Compares two sides that were read.</summary>
    /// <param name="from">The one.</param>
    /// <param name="to">The other.</param>
    /// <param name="only">The databases that are asked for; empty for all, and the roles.</param>
    /// <param name="all">With the tables that are the same.</param>
    internal static DiffReport Of(DiffContent from, DiffContent to, IReadOnlyList<string> only, bool all) =>
        new()
        {
            From = from.Side,
            To = to.Side,
            Databases =
            [
                .. from
                    .Proofs.Keys.Concat(from.Missing.Keys)
                    .Concat(to.Proofs.Keys)
                    .Concat(to.Missing.Keys)
                    .Distinct(StringComparer.Ordinal)
                    .Order(StringComparer.Ordinal)
                    .Where(name => only.Count == 0 || only.Contains(name, StringComparer.Ordinal))
                    .Select(name => Compare(name, from, to, all)),
            ],
            RolesChanged =
                only.Count > 0 || from.Globals is not { } before || to.Globals is not { } after || before.DumpMajor != after.DumpMajor
                    ? null
                    : before.Schema != after.Schema,
            Note =
                DumpSettings.Options(from.Settings) == DumpSettings.Options(to.Settings)
                    ? null
                    : "the two were not dumped with the same settings (an older version set none): tables with times, bytes or money "
                        + "may look changed that are not.",
        };

    private static DatabaseDiff Compare(string name, DiffContent from, DiffContent to, bool all)
    {
        Proof? before = from.Proofs.GetValueOrDefault(name);
        Proof? after = to.Proofs.GetValueOrDefault(name);
        string? absent =
            (before is null ? from.Missing.GetValueOrDefault(name) : null) ?? (after is null ? to.Missing.GetValueOrDefault(name) : null);
        ProofDiff? diff = before is null || after is null ? null : ProofDiff.Between(before, after);
        return new DatabaseDiff
        {
            Database = name,
            Change =
                diff is null
                    ? (
                        absent is not null || (before is null && after is null) ? DatabaseDiff.Unknown
                        : before is null ? DatabaseDiff.New
                        : DatabaseDiff.Gone
                    )
                : diff.IsSame ? DatabaseDiff.Same
                : DatabaseDiff.Changed,
            Why = absent,
            Problem = from.Problems.GetValueOrDefault(name) ?? to.Problems.GetValueOrDefault(name),
            TablesBefore = before?.Tables.Count,
            TablesAfter = after?.Tables.Count,
            RowsBefore = before?.Rows,
            RowsAfter = after?.Rows,
            BytesBefore = before?.Bytes,
            BytesAfter = after?.Bytes,
            Tables = [.. diff?.Tables.Where(t => all || t.Change != TableDiff.Same) ?? []],
            Sequences = diff?.Sequences ?? [],
            LargeObjects = diff is not null && (all || diff.LargeObjects.Change != TableDiff.Same) ? diff.LargeObjects : null,
            SchemaChanged = diff?.SchemaChanged,
            SettingsChanged = diff?.SettingsChanged,
        };
    }
}

/// <summary>One of the two that are compared.</summary>
public sealed record DiffSide
{
    /// <summary>The snapshot's id, or <c>live</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Where it was read: the store, or the server.</summary>
    public required string Place { get; init; }

    /// <summary>The moment of the data, in UTC.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The server's version.</summary>
    public required string ServerVersion { get; init; }
}

/// <summary>What changed in one database.</summary>
public sealed record DatabaseDiff
{
    /// <summary>Both have it, and everything that could be compared is the same.</summary>
    public const string Same = "same";

    /// <summary>Both have it, and it changed.</summary>
    public const string Changed = "changed";

    /// <summary>Only the later one has it.</summary>
    public const string New = "new";

    /// <summary>Only the earlier one has it.</summary>
    public const string Gone = "gone";

    /// <summary>One of the two does not say: <see cref="Why"/>.</summary>
    public const string Unknown = "unknown";

    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>One of the constants.</summary>
    public required string Change { get; init; }

    /// <summary>Why one of the two does not say.</summary>
    public string? Why { get; init; }

    /// <summary>The error of reading the live database, or null.</summary>
    public string? Problem { get; init; }

    /// <summary>Tables before; null where the database was not there.</summary>
    public int? TablesBefore { get; init; }

    /// <summary>Tables after.</summary>
    public int? TablesAfter { get; init; }

    /// <summary>Rows before.</summary>
    public long? RowsBefore { get; init; }

    /// <summary>Rows after.</summary>
    public long? RowsAfter { get; init; }

    /// <summary>Bytes of table data before, as COPY writes them.</summary>
    public long? BytesBefore { get; init; }

    /// <summary>Bytes after.</summary>
    public long? BytesAfter { get; init; }

    /// <summary>The tables that differ, or all on demand.</summary>
    public required IReadOnlyList<TableDiff> Tables { get; init; }

    /// <summary>The sequences that differ.</summary>
    public required IReadOnlyList<SequenceDiff> Sequences { get; init; }

    /// <summary>The large objects, if they differ, or on demand.</summary>
    public TableDiff? LargeObjects { get; init; }

    /// <summary>Definitions, owners, privileges or comments differ; null when that is not known.</summary>
    public bool? SchemaChanged { get; init; }

    /// <summary>Owner, privileges, settings or comment of the database itself differ; null when that is not known.</summary>
    public bool? SettingsChanged { get; init; }
}

/// <summary>A side with what it holds.</summary>
internal sealed record DiffContent
{
    /// <summary>What it is.</summary>
    public required DiffSide Side { get; init; }

    /// <summary>The databases that it has.</summary>
    public required IReadOnlyDictionary<string, Proof> Proofs { get; init; }

    /// <summary>Those of which it does not know whether they were there, and why.</summary>
    public required IReadOnlyDictionary<string, string> Missing { get; init; }

    /// <summary>Of these, those that could not be read now: the error.</summary>
    public IReadOnlyDictionary<string, string> Problems { get; init; } = new Dictionary<string, string>();

    /// <summary>The roles, if it has them.</summary>
    public Proof? Globals { get; init; }

    /// <summary>The settings that its databases were dumped with; null when none were set.</summary>
    public IReadOnlyDictionary<string, string>? Settings { get; init; }
}
