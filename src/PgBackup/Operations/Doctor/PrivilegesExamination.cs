using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Doctor;

/// <summary>
/// What of a database the role may not read, though a dump must: tables, partitions, sequences and large objects, and rows that a policy
/// hides. Each kind is one finding, with the statements that grant it.
/// </summary>
/// <remarks>
/// What belongs to an extension is left out, as pg_dump leaves it out, but for tables that the extension marks as configuration. Views and
/// materialized views need no privilege: their rows are not dumped.
/// </remarks>
internal static class PrivilegesExamination
{
    /// <summary>So many are named of each kind in a database.</summary>
    public const int MostNamed = 20;

    private const string Relations = """
        SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind, format('%I', n.nspname) AS schema,
          has_schema_privilege(n.oid, 'USAGE') AS enters, has_table_privilege(c.oid, 'SELECT') AS selects,
          format('%I.%I', n.nspname, c.relname) AS name, row_security_active(c.oid) AS hides
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
          AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
              AND NOT coalesce(c.oid = ANY (e.extconfig), false))
        """;

    private const string Summary = $"""
        SELECT kind, schema, enters, enters AND selects AS reads, hides AND selects AS hides, count(*) AS objects,
          to_json((array_agg(name ORDER BY name))[1:21]) AS names, format('%I', current_user) AS role
        FROM ({Relations}) r GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2
        """;

    // has_largeobject_privilege came with 18; what it does is the same.
    private const string LargeObjects = """
        SELECT (SELECT count(*) FROM pg_largeobject_metadata) AS objects, count(*) AS unreadable,
          to_json((array_agg(m.oid::bigint ORDER BY m.oid))[1:21]) AS ids, format('%I', current_user) AS role
        FROM pg_largeobject_metadata m
        WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND current_setting('lo_compat_privileges') = 'off'
          AND NOT pg_has_role(m.lomowner, 'USAGE')
          AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
            AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
        """;

    /// <summary>Asks a database, by two queries of its catalog.</summary>
    /// <returns>What was looked at, and what was found.</returns>
    public static async Task<(string What, IReadOnlyList<Finding> Findings)> RunAsync(
        string database,
        PsqlSession session,
        ServerFacts facts,
        CancellationToken cancel
    )
    {
        List<RelationGroup> groups = [.. (await session.QueryAsync(Summary, cancel)).Select(RelationGroup.Of)];
        JsonElement large = await session.QueryRowAsync(LargeObjects, cancel);
        var grants = new MissingGrants(database, facts);
        List<Finding> findings =
        [
            .. grants.ForRelations(ErrorCode.TableUnreadable, "table", [.. groups.Where(static g => g is { Kind: "table", Reads: false })]),
            .. grants.ForRelations(
                ErrorCode.SequenceUnreadable,
                "sequence",
                [.. groups.Where(static g => g is { Kind: "sequence", Reads: false })]
            ),
            .. grants.ForLargeObjects(
                large.GetProperty("unreadable").GetInt64(),
                large.GetProperty("ids") is { ValueKind: JsonValueKind.Array } ids
                    ? [.. ids.EnumerateArray().Select(static i => i.GetInt64())]
                    : [],
                large.GetProperty("role").GetString()!
            ),
            .. grants.ForHiddenRows([.. groups.Where(static g => g.Hides)]),
        ];
        string what =
            $"{database}: {facts.Role} may read {Words.Count(Count(groups, "table"), "table")}, "
            + $"{Words.Count(Count(groups, "sequence"), "sequence")} and "
            + Words.Count(large.GetProperty("objects").GetInt64(), "large object");
        return (what, findings);
    }

    private static long Count(List<RelationGroup> groups, string kind) => groups.Where(g => g.Kind == kind).Sum(static g => g.Objects);
}

/// <summary>Relations of one kind and schema that the role may do the same with.</summary>
internal sealed record RelationGroup
{
    /// <summary><c>table</c> or <c>sequence</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The schema, quoted where SQL needs it.</summary>
    public required string Schema { get; init; }

    /// <summary>The role may use the schema.</summary>
    public required bool Enters { get; init; }

    /// <summary>The role may read them.</summary>
    public required bool Reads { get; init; }

    /// <summary>A policy hides rows from the role.</summary>
    public required bool Hides { get; init; }

    /// <summary>How many there are.</summary>
    public required long Objects { get; init; }

    /// <summary>The first of them with their schema, quoted where SQL needs it.</summary>
    public required IReadOnlyList<string> Names { get; init; }

    /// <summary>The role, quoted where SQL needs it.</summary>
    public required string Role { get; init; }

    /// <summary>Of a row.</summary>
    public static RelationGroup Of(JsonElement row) =>
        new()
        {
            Kind = row.GetProperty("kind").GetString()!,
            Schema = row.GetProperty("schema").GetString()!,
            Enters = row.GetProperty("enters").GetBoolean(),
            Reads = row.GetProperty("reads").GetBoolean(),
            Hides = row.GetProperty("hides").GetBoolean(),
            Objects = row.GetProperty("objects").GetInt64(),
            Names = [.. row.GetProperty("names").EnumerateArray().Select(static n => n.GetString()!)],
            Role = row.GetProperty("role").GetString()!,
        };
}
