using System.Text.Json;

namespace PgBackup.Postgres;

/// <summary>
/// Shows whether a database still has the definitions that it had at the moment of an exported snapshot. pg_dump reads lists of objects as
/// of the snapshot, but the server words them, and finds the rows of a table, as of now (PostgreSQL manual, "Caveats" of "Concurrency
/// Control", and the notes in pg_dump.c): what is rewritten, replaced, renamed or dropped in between comes out wrong, without an error.
/// </summary>
/// <remarks>
/// Compared is what the server looks up as of now. What came new does no harm, since the snapshot does not see it. Left out: what the
/// system brought (numbers below 16384), temporary objects, the storage of materialized views and indexes (their contents are in no dump,
/// and
/// REFRESH and REINDEX replace it), roles that are gone and that nothing here depends on (a rename counts: a value may name a role), and
/// the columns of tables, which hold still under an ACCESS SHARE
/// lock (<c>TableLocks</c>).
/// </remarks>
internal sealed class CatalogWatch
{
    // One row for each object: what kind it is, its number, what must stay, and its name for people. A row's xmin changes with each UPDATE
    // of it; where the server updates rows for reasons of its own (pg_class, pg_index), the columns that matter are named instead.
    private const string Objects = """
        SELECT 'schema' AS kind, oid::text AS id, xmin::text AS state, quote_ident(nspname) AS name FROM pg_namespace
          WHERE nspname !~ '^pg_(toast_)?temp_'
        UNION ALL SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type'
          ELSE 'table' END, oid::text,
            relname || ' ' || relnamespace || ' ' || CASE relkind WHEN 'r' THEN relfilenode::text WHEN 'S' THEN relfilenode::text
              WHEN 'v' THEN xmin::text WHEN 'c' THEN xmin::text WHEN 'f' THEN xmin::text ELSE '' END,
            relnamespace::regnamespace || '.' || quote_ident(relname)
          FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't' AND relkind NOT IN ('t', 'i', 'I')
        UNION ALL SELECT 'column', attrelid || '/' || attnum, a.xmin::text,
          c.relnamespace::regnamespace || '.' || quote_ident(c.relname) || '.' || quote_ident(attname)
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.oid >= 16384 AND c.relkind IN ('c', 'v', 'f', 'm')
            AND c.relpersistence <> 't' AND attnum > 0
        UNION ALL SELECT 'index', indexrelid::text, concat_ws(' ', indrelid, indkey, relname, relnamespace),
          relnamespace::regnamespace || '.' || quote_ident(relname)
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indexrelid >= 16384 AND indisvalid AND relpersistence <> 't'
            AND relnamespace <> 'pg_toast'::regnamespace
        UNION ALL SELECT 'function', p.oid::text, p.xmin::text, pronamespace::regnamespace || '.' || quote_ident(proname) FROM pg_proc p
          JOIN pg_namespace n ON n.oid = p.pronamespace
          WHERE p.oid >= 16384 AND nspname !~ '^pg_temp_'
        UNION ALL SELECT 'type', t.oid::text, t.xmin::text, t.typnamespace::regnamespace || '.' || quote_ident(t.typname) FROM pg_type t
          JOIN pg_namespace n ON n.oid = t.typnamespace
          WHERE t.oid >= 16384 AND t.typtype <> 'c' AND t.typcategory <> 'A' AND n.nspname !~ '^pg_(toast_)?temp_'
        UNION ALL SELECT 'enum label', e.oid::text, e.xmin::text, format_type(e.enumtypid, NULL) || '.' || quote_ident(e.enumlabel)
          FROM pg_enum e WHERE e.oid >= 16384
        UNION ALL SELECT 'constraint', k.oid::text, k.xmin::text, k.connamespace::regnamespace || '.' || quote_ident(k.conname)
          FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
          WHERE k.oid >= 16384 AND n.nspname !~ '^pg_(toast_)?temp_'
        UNION ALL SELECT 'default', d.oid::text, d.xmin::text, c.relnamespace::regnamespace || '.' || quote_ident(c.relname)
          FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid WHERE d.oid >= 16384 AND c.relpersistence <> 't'
        UNION ALL SELECT 'rule', r.oid::text, r.xmin::text, c.relnamespace::regnamespace || '.' || quote_ident(c.relname) FROM pg_rewrite r
          JOIN pg_class c ON c.oid = r.ev_class WHERE r.oid >= 16384 AND c.relpersistence <> 't'
        UNION ALL SELECT 'trigger', t.oid::text, t.xmin::text, c.relnamespace::regnamespace || '.' || quote_ident(t.tgname)
          FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.oid >= 16384 AND c.relpersistence <> 't'
        UNION ALL SELECT 'policy', oid::text, xmin::text, quote_ident(polname) FROM pg_policy WHERE oid >= 16384
        UNION ALL SELECT 'partition', inhrelid || '/' || inhparent, i.xmin::text,
          c.relnamespace::regnamespace || '.' || quote_ident(c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
          WHERE inhrelid >= 16384 AND c.relpersistence <> 't' AND c.relkind NOT IN ('i', 'I')
        UNION ALL SELECT 'statistics', oid::text, xmin::text, stxnamespace::regnamespace || '.' || quote_ident(stxname)
          FROM pg_statistic_ext WHERE oid >= 16384
        UNION ALL SELECT 'operator', oid::text, xmin::text, oprnamespace::regnamespace || '.' || oprname FROM pg_operator WHERE oid >= 16384
        UNION ALL SELECT 'operator class', oid::text, xmin::text, opcnamespace::regnamespace || '.' || quote_ident(opcname) FROM pg_opclass
          WHERE oid >= 16384
        UNION ALL SELECT 'operator family', oid::text, xmin::text, opfnamespace::regnamespace || '.' || quote_ident(opfname)
          FROM pg_opfamily WHERE oid >= 16384
        UNION ALL SELECT 'aggregate', aggfnoid::oid::text, xmin::text, aggfnoid::oid::text FROM pg_aggregate WHERE aggfnoid >= 16384
        UNION ALL SELECT 'range', rngtypid::text, xmin::text, rngtypid::text FROM pg_range WHERE rngtypid >= 16384
        UNION ALL SELECT 'cast', oid::text, xmin::text, oid::text FROM pg_cast WHERE oid >= 16384
        UNION ALL SELECT 'collation', oid::text, xmin::text, collnamespace::regnamespace || '.' || quote_ident(collname) FROM pg_collation
          WHERE oid >= 16384
        UNION ALL SELECT 'conversion', oid::text, xmin::text, connamespace::regnamespace || '.' || quote_ident(conname) FROM pg_conversion
          WHERE oid >= 16384
        UNION ALL SELECT 'language', oid::text, xmin::text, quote_ident(lanname) FROM pg_language WHERE oid >= 16384
        UNION ALL SELECT 'extension', oid::text, xmin::text, quote_ident(extname) FROM pg_extension WHERE oid >= 16384
        UNION ALL SELECT 'access method', oid::text, xmin::text, quote_ident(amname) FROM pg_am WHERE oid >= 16384
        UNION ALL SELECT 'event trigger', oid::text, xmin::text, quote_ident(evtname) FROM pg_event_trigger
        UNION ALL SELECT 'text search configuration', oid::text, xmin::text, cfgnamespace::regnamespace || '.' || quote_ident(cfgname)
          FROM pg_ts_config WHERE oid >= 16384
        UNION ALL SELECT 'text search dictionary', oid::text, xmin::text, dictnamespace::regnamespace || '.' || quote_ident(dictname)
          FROM pg_ts_dict WHERE oid >= 16384
        UNION ALL SELECT 'foreign data wrapper', oid::text, xmin::text, quote_ident(fdwname) FROM pg_foreign_data_wrapper WHERE oid >= 16384
        UNION ALL SELECT 'foreign server', oid::text, xmin::text, quote_ident(srvname) FROM pg_foreign_server WHERE oid >= 16384
        UNION ALL SELECT 'publication', oid::text, xmin::text, quote_ident(pubname) FROM pg_publication WHERE oid >= 16384
        UNION ALL SELECT 'role', CASE WHEN s.refobjid IS NULL THEN '-' ELSE '' END || r.oid, rolname, quote_ident(rolname) FROM pg_roles r
          LEFT JOIN (SELECT DISTINCT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND dbid IN (0, (SELECT oid
            FROM pg_database WHERE datname = current_database()))) s ON s.refobjid = r.oid
        """;

    private const string Sums =
        $"SELECT kind, count(*) AS n, sum(hashtextextended(id || ' ' || state, 0))::text AS sum FROM (\n{Objects}\n) o GROUP BY kind";

    // Both in one statement see the same snapshot, and its row comes first: the server works on one after the other.
    private const string Moment = $"""
        SELECT '' AS kind, 0 AS n, pg_export_snapshot() AS sum, extract(epoch FROM statement_timestamp()) AS asked, extract(epoch
          FROM clock_timestamp()) AS taken
        UNION ALL SELECT kind, n, sum, NULL, NULL FROM ({Sums}) s
        """;

    private const string Prepared = "olympus_pgbackup_moment";

    // For one answer of a server, a few names say enough.
    private const int MostNamed = 5;

    private readonly Dictionary<string, string> sums;

    private CatalogWatch(IEnumerable<JsonElement> rows)
    {
        sums = new(StringComparer.Ordinal);
        foreach (JsonElement row in rows)
        {
            string kind = row.GetProperty("kind").GetString()!;
            string sum = row.GetProperty("sum").GetString()!;
            if (kind.Length == 0)
            {
                (SnapshotName, Asked, Taken) = (sum, row.GetProperty("asked").GetDouble(), row.GetProperty("taken").GetDouble());
            }
            else
            {
                sums[kind] = $"{row.GetProperty("n").GetInt64()} {sum}";
            }
        }
    }

    /// <summary>The exported snapshot that the definitions were read in.</summary>
    public string SnapshotName { get; } = "";

    /// <summary>When the server was asked for the snapshot, by its clock: seconds since 1970.</summary>
    public double Asked { get; }

    /// <summary>When the server had taken the snapshot, by its clock: seconds since 1970.</summary>
    public double Taken { get; }

    /// <summary>Has a session plan the statement of the moment, before the transaction that fixes it.</summary>
    public static Task PrepareAsync(PsqlSession session, CancellationToken cancel) => session.PrepareAsync(Prepared, Moment, cancel);

    /// <summary>
    /// Takes a snapshot, exports it, and reads the definitions in it. The transaction is READ COMMITTED, so that <see cref="ChangesAsync"/>
    /// can ask for a later state in the same session, whose locks still hold.
    /// </summary>
    /// <param name="session">A session that is prepared, in a READ COMMITTED transaction.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<CatalogWatch> ExportAsync(PsqlSession session, CancellationToken cancel) =>
        new(await session.QueryPreparedAsync(Prepared, cancel));

    /// <summary>Names what is gone or was replaced since; empty when nothing was. What came new is not named.</summary>
    /// <param name="now">The session that it was exported from, whose next statement sees the database as it is now.</param>
    /// <param name="connect">Opens one more session in the same database.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Connection"/>: a session is lost, and nothing is known.</exception>
    public async Task<IReadOnlyList<string>> ChangesAsync(
        PsqlSession now,
        Func<CancellationToken, Task<PsqlSession>> connect,
        CancellationToken cancel
    )
    {
        List<string> kinds = Different(new CatalogWatch(await now.QueryPreparedAsync(Prepared, cancel)));
        if (kinds.Count == 0)
        {
            return [];
        }

        string list = $"SELECT kind, id, state, name FROM (\n{Objects}\n) o WHERE kind IN ({string.Join(", ", kinds.Select(Sql.Literal))})";
        await using PsqlSession then = await connect(cancel);
        await then.ExecuteAsync("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", cancel);
        await then.ExecuteAsync($"SET TRANSACTION SNAPSHOT {Sql.Literal(SnapshotName)}", cancel);
        IReadOnlyList<JsonElement>[] answers = await Task.WhenAll(then.QueryAsync(list, cancel), now.QueryAsync(list, cancel));
        Dictionary<(string, string), string> found = [];
        foreach (JsonElement row in answers[1])
        {
            found[Key(row)] = row.GetProperty("state").GetString()!;
        }

        List<string> changed = [];
        foreach (JsonElement row in answers[0])
        {
            string? state = found.GetValueOrDefault(Key(row));
            bool unused = row.GetProperty("id").GetString()!.StartsWith('-');
            if (state != row.GetProperty("state").GetString() && !(state is null && unused))
            {
                changed.Add(
                    $"{row.GetProperty("kind").GetString()} {row.GetProperty("name").GetString()} "
                        + $"{(state is null ? "is gone" : "was changed")}"
                );
            }
        }

        changed.Sort(StringComparer.Ordinal);
        return changed.Count <= MostNamed ? changed : [.. changed.Take(MostNamed), $"{changed.Count - MostNamed} more"];
    }

    /// <summary>
    /// The kinds of which something came, is gone or was replaced, for when the session of the snapshot has ended and with it the snapshot.
    /// </summary>
    /// <param name="now">Another session in the same database.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<IReadOnlyList<string>> ChangedKindsAsync(PsqlSession now, CancellationToken cancel) =>
        Different(new CatalogWatch(await now.QueryAsync(Sums, cancel)));

    private List<string> Different(CatalogWatch present) =>
        [.. sums.Where(s => present.sums.GetValueOrDefault(s.Key) != s.Value).Select(static s => s.Key).Order(StringComparer.Ordinal)];

    // A role on which nothing here depends has a "-" before its number; it is the same role when that has changed.
    private static (string Kind, string Id) Key(JsonElement row) =>
        (row.GetProperty("kind").GetString()!, row.GetProperty("id").GetString()!.TrimStart('-'));
}
