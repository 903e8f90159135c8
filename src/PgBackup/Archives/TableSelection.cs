using PgBackup.Postgres;
using PgBackup.Proofs;

namespace PgBackup.Archives;

/// <summary>
/// What has to be restored of an archive so that some of its tables are there: they with their partitions, rows, defaults, sequences,
/// indexes and constraints, and what these need (types, functions, extensions, schemas). What only makes sense beside other tables or for
/// somebody else (foreign keys to tables that do not come along, triggers, rules, policies, owners, privileges) stays behind. Pure.
/// </summary>
internal sealed class TableSelection
{
    // What belongs to a table and comes with it, if everything that it needs is there or can come along without another table.
    private static readonly HashSet<string> Own =
    [
        "DEFAULT",
        "CONSTRAINT",
        "CHECK CONSTRAINT",
        "FK CONSTRAINT",
        "INDEX",
        "TABLE ATTACH",
        "SEQUENCE",
        "STATISTICS",
    ];

    // What comes if that to which it belongs has come.
    private static readonly HashSet<string> Following = ["INDEX ATTACH", "SEQUENCE SET", "SEQUENCE OWNED BY", "COMMENT"];

    private static readonly HashSet<string> LeftBehind = ["TRIGGER", "RULE", "POLICY", "ROW SECURITY", "PUBLICATION TABLE"];

    private readonly Dictionary<int, ArchiveEntry> entries;
    private readonly Dictionary<TableName, ArchiveEntry> tables = [];
    private readonly Dictionary<int, int> roots = [];
    private readonly HashSet<int> included = [];
    private readonly HashSet<int> chosen = [];
    private readonly List<TableName> names = [];

    private TableSelection(ArchiveOutline outline)
    {
        entries = outline.Entries.ToDictionary(static e => e.Id);
        foreach (ArchiveEntry entry in outline.Entries.Where(static e => e.Type == "TABLE"))
        {
            if (TableName.After(entry.Statement, " TABLE ") is { } name)
            {
                tables[name] = entry;
            }
        }

        foreach (ArchiveEntry attach in outline.Entries.Where(static e => e.Type == "TABLE ATTACH"))
        {
            if (
                Attached(attach) is (TableName root, TableName partition)
                && tables.TryGetValue(root, out ArchiveEntry? to)
                && tables.TryGetValue(partition, out ArchiveEntry? attached)
            )
            {
                roots[attached.Id] = to.Id;
            }
        }
    }

    /// <summary>The tables, with the partitions of those that have some.</summary>
    public IReadOnlyList<TableName> Tables => names;

    /// <summary>Tables whose definition is needed (a parent that is inherited from, a type of rows); they come without rows.</summary>
    public IReadOnlyList<TableName> Defined { get; private set; } = [];

    /// <summary>The lines of <c>pg_restore --use-list</c>.</summary>
    public string List { get; private set; } = "";

    /// <summary>The sequences that come along.</summary>
    public IReadOnlyList<TableName> Sequences { get; private set; } = [];

    /// <summary>What belongs to the tables and does not come along, in pg_dump's words.</summary>
    public IReadOnlyList<string> Left { get; private set; } = [];

    /// <summary>The extensions that come along.</summary>
    public IReadOnlyList<string> Extensions { get; private set; } = [];

    /// <summary>Selects; <paramref name="available"/> are the extensions that can be made at the target.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TableMissing"/> or <see cref="ErrorCode.Usage"/>.</exception>
    public static TableSelection Of(ArchiveOutline outline, IReadOnlyList<string> wanted, IReadOnlySet<string> available, string where)
    {
        var selection = new TableSelection(outline);
        foreach (string text in wanted)
        {
            selection.Choose(selection.Find(text, where), outline);
        }

        foreach (int id in selection.chosen)
        {
            selection.included.UnionWith(selection.Needed(id));
        }

        selection.AddOwn(outline, available);
        selection.RequireRows(outline);
        selection.List = string.Concat(outline.Entries.Where(e => selection.included.Contains(e.Id)).Select(static e => $"{e.Id};\n"));
        selection.Defined =
        [
            .. selection
                .tables.Where(t => selection.included.Contains(t.Value.Id) && !selection.chosen.Contains(t.Value.Id))
                .Select(static t => t.Key),
        ];
        selection.Sequences =
        [
            .. outline
                .Entries.Where(e => e.Type == "SEQUENCE" && selection.included.Contains(e.Id))
                .Select(static e => TableName.After(e.Statement, "SEQUENCE NAME ", "CREATE SEQUENCE ", "CREATE UNLOGGED SEQUENCE "))
                .OfType<TableName>(),
        ];
        selection.Extensions =
        [
            .. outline.Entries.Where(e => e.Type == "EXTENSION" && selection.included.Contains(e.Id)).Select(Extension).OfType<string>(),
        ];
        selection.Left = [.. outline.Entries.Where(selection.IsLeft).Select(static e => $"{e.Type.ToLowerInvariant()} {e.Tag}")];
        return selection;
    }

    /// <summary>
    /// A proof of these tables and sequences alone, by their full names in quotes; <paramref name="schema"/> is where they are now, if not
    /// in their own.
    /// </summary>
    public Proof ProofOf(Proof whole, string? schema = null)
    {
        var proof = new Proof
        {
            DumpMajor = 0,
            Tables = new SortedDictionary<string, TableProof>(StringComparer.Ordinal),
            Sequences = new SortedDictionary<string, string>(StringComparer.Ordinal),
            LargeObjects = new TableProof
            {
                Rows = 0,
                Bytes = 0,
                Digest = "",
            },
            Schema = new StatementsProof { Count = 0, Digest = "" },
            Database = new StatementsProof { Count = 0, Digest = "" },
        };
        Pick(whole.Tables, proof.Tables, names, schema);
        Pick(whole.Sequences, proof.Sequences, Sequences, schema);
        return proof;
    }

    private static void Pick<T>(
        SortedDictionary<string, T> from,
        SortedDictionary<string, T> to,
        IReadOnlyList<TableName> names,
        string? schema
    )
    {
        Dictionary<TableName, T> found = [];
        foreach ((string key, T value) in from)
        {
            if (TableName.Read(key, 0) is (TableName name, _))
            {
                found[name] = value;
            }
        }

        foreach (TableName name in names)
        {
            if (found.TryGetValue(schema is null ? name : name with { Schema = schema }, out T? value))
            {
                to[name.ToString()] = value;
            }
        }
    }

    private TableName Find(string text, string where)
    {
        if (TableName.Typed(text) is not (var schema, string typed))
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"--table {text}: that is not the name of a table.",
                "Write --table schema.name; a part with a dot or a quote in it in double quotes."
            );
        }

        TableName[] found = [.. tables.Keys.Where(t => t.Name == typed && (schema is null || t.Schema == schema))];
        if (found.Length == 1)
        {
            return found[0];
        }

        if (found.Length > 1)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"--table {text}: there are several.",
                $"Write one of {string.Join(", ", found)}."
            );
        }

        TableName[] near =
        [
            .. tables.Keys.OrderBy(t => Words.Distance(t.Name, typed)).ThenBy(static t => t.ToString(), StringComparer.Ordinal).Take(5),
        ];
        throw new PgBackupException(
            ErrorCode.TableMissing,
            $"{where} has no table {text}.",
            near.Length == 0
                ? "It has no table at all."
                : $"It has, among {tables.Count}, {string.Join(", ", near)}; `olympus-pgbackup show --tables` lists all. Views and "
                    + $"foreign tables have no rows."
        );
    }

    private void Choose(TableName name, ArchiveOutline outline)
    {
        if (!chosen.Add(tables[name].Id))
        {
            return;
        }

        names.Add(name);
        foreach (ArchiveEntry attach in outline.Entries.Where(static e => e.Type == "TABLE ATTACH"))
        {
            if (Attached(attach) is (TableName root, TableName partition) && root == name && tables.ContainsKey(partition))
            {
                Choose(partition, outline);
            }
        }
    }

    private static (TableName Root, TableName Partition)? Attached(ArchiveEntry attach) =>
        TableName.After(attach.Statement, "ALTER TABLE ONLY ", "ALTER TABLE ") is { } root
        && TableName.After(attach.Statement, " ATTACH PARTITION ") is { } partition
            ? (root, partition)
            : null;

    // The entry and all that it needs, and they need.
    private HashSet<int> Needed(int id)
    {
        HashSet<int> all = [];
        Stack<int> open = new([id]);
        while (open.TryPop(out int next))
        {
            if (entries.TryGetValue(next, out ArchiveEntry? entry) && all.Add(next))
            {
                // A partition, and an index of it, is made alone, and attached afterwards.
                foreach (
                    int need in entry.Needs.Where(n =>
                        !(roots.TryGetValue(next, out int root) && root == n)
                        && !(IsIndex(entry) && entries.TryGetValue(n, out ArchiveEntry? of) && IsIndex(of))
                    )
                )
                {
                    open.Push(need);
                }
            }
        }

        return all;
    }

    private void AddOwn(ArchiveOutline outline, IReadOnlySet<string> available)
    {
        foreach (ArchiveEntry entry in outline.Entries.Where(e => Own.Contains(e.Type) && IsAboutChosen(e)))
        {
            HashSet<int> needed = Needed(entry.Id);
            if (!needed.Any(id => IsRelation(entries[id]) && !included.Contains(id)))
            {
                included.UnionWith(needed);
            }
        }

        included.UnionWith(outline.Entries.Where(e => e.Type == "TABLE DATA" && e.Needs.Any(chosen.Contains)).Select(static e => e.Id));
        // An archive does not say that an exclusion constraint needs an extension for its operators: any of them.
        if (
            outline.Entries.Any(e =>
                included.Contains(e.Id) && e.Type == "CONSTRAINT" && e.Statement.Contains(" EXCLUDE USING ", StringComparison.Ordinal)
            )
        )
        {
            included.UnionWith(
                outline
                    .Entries.Where(e => e.Type == "EXTENSION" && Extension(e) is { } name && available.Contains(name))
                    .SelectMany(e => Needed(e.Id))
            );
        }

        bool more = true;
        while (more)
        {
            more = false;
            foreach (ArchiveEntry entry in outline.Entries.Where(static e => Following.Contains(e.Type) && e.Needs.Count > 0))
            {
                // An extension's comment is its own, and may be set by its owner only. What attaches an index names those of all roots
                // above.
                more |=
                    !entry.Tag.StartsWith("EXTENSION ", StringComparison.Ordinal)
                    && (
                        entry.Type == "INDEX ATTACH"
                            ? entry.Needs.Distinct().Count(n => included.Contains(n) && IsIndex(entries[n])) > 1
                            : entry.Needs.All(included.Contains)
                    )
                    && included.Add(entry.Id);
            }
        }
    }

    // pg_dump loads some partitions through their root (hash partitions of an enumeration): then the rows are the root's.
    private void RequireRows(ArchiveOutline outline)
    {
        foreach (ArchiveEntry data in outline.Entries.Where(e => e.Type == "TABLE DATA" && included.Contains(e.Id)))
        {
            if (TableName.After(data.Statement, "COPY ") is { } into && !names.Contains(into))
            {
                throw new PgBackupException(
                    ErrorCode.Usage,
                    $"the rows of {data.Tag} are stored as rows of {into}, whose partition it is.",
                    $"Write --table {into}."
                );
            }
        }
    }

    // A table that inherits has rows that a query of its parent shows, too.
    private bool IsLeft(ArchiveEntry entry) =>
        !included.Contains(entry.Id)
        && IsAboutChosen(entry)
        && (
            (LeftBehind.Contains(entry.Type) && !entry.Tag.EndsWith(" _RETURN", StringComparison.Ordinal))
            || Own.Contains(entry.Type)
            || (entry.Type == "TABLE" && entry.Statement.Contains("\nINHERITS (", StringComparison.Ordinal))
        );

    // A foreign key needs both tables, and is of the one that its statement names.
    private bool IsAboutChosen(ArchiveEntry entry) =>
        entry.Needs.Any(chosen.Contains)
        && (
            entry.Type is not ("FK CONSTRAINT" or "TABLE ATTACH")
            || (
                entry.Type == "TABLE ATTACH"
                    ? Attached(entry)?.Partition
                    : TableName.After(entry.Statement, "ALTER TABLE ONLY ", "ALTER TABLE ")
            )
                is { } table
                && names.Contains(table)
        );

    private static bool IsIndex(ArchiveEntry entry) => entry.Type is "INDEX" or "CONSTRAINT";

    private static string? Extension(ArchiveEntry entry) => RoleLimits.Extensions(entry.Statements) is [string name, ..] ? name : null;

    private static bool IsRelation(ArchiveEntry entry) => entry.Type is "TABLE" or "VIEW" or "MATERIALIZED VIEW" or "FOREIGN TABLE";
}
