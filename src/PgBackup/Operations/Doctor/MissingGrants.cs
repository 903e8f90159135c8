using System.Globalization;
using PgBackup.Postgres;

namespace PgBackup.Operations.Doctor;

/// <summary>What a role may not read in a database, as findings with the statements that mend it, to be copied as they are. Pure.</summary>
internal sealed class MissingGrants(string database, ServerFacts facts)
{
    // pg_read_all_data came with it. It reads every table and sequence, and enters every schema.
    private const int WithReadAll = 14;

    private const int MostNamed = PrivilegesExamination.MostNamed;

    /// <summary>Tables, or sequences. Nothing where there are none.</summary>
    /// <param name="code">Which.</param>
    /// <param name="noun">What one is called; in upper case it is SQL's word.</param>
    /// <param name="groups">Those that it may not read.</param>
    public IEnumerable<Finding> ForRelations(ErrorCode code, string noun, IReadOnlyList<RelationGroup> groups)
    {
        if (groups.Count == 0)
        {
            yield break;
        }

        string role = groups[0].Role;
        List<string> statements = [];
        foreach (IGrouping<string, RelationGroup> schema in groups.GroupBy(static g => g.Schema))
        {
            if (schema.Any(static g => !g.Enters))
            {
                statements.Add($"GRANT USAGE ON SCHEMA {schema.Key} TO {role};");
            }

            statements.Add(
                schema.Sum(static g => g.Objects) > MostNamed
                    ? $"GRANT SELECT ON ALL {noun.ToUpperInvariant()}S IN SCHEMA {schema.Key} TO {role};"
                    : $"GRANT SELECT ON {noun.ToUpperInvariant()} {string.Join(", ", schema.SelectMany(static g => g.Names))} TO {role};"
            );
        }

        string all = facts.Major >= WithReadAll ? $" Or, with those of later migrations: GRANT pg_read_all_data TO {role};" : "";
        yield return Finding.Error(
            code,
            database,
            $"{database}: {facts.Role} may not read {Named(groups, noun)}",
            "pg_dump of the whole database fails by it",
            $"In {database}, as the owner or a superuser: {string.Join(" ", statements)}{all}"
        );
    }

    /// <summary>Large objects. Nothing where there are none.</summary>
    /// <param name="count">How many it may not read.</param>
    /// <param name="ids">The first of them.</param>
    /// <param name="role">The role, quoted where SQL needs it.</param>
    public IEnumerable<Finding> ForLargeObjects(long count, IReadOnlyList<long> ids, string role)
    {
        if (count == 0)
        {
            yield break;
        }

        string list = string.Join(", ", ids.Take(MostNamed).Select(static i => i.ToString(CultureInfo.InvariantCulture)));
        // GRANT has no word for all of them.
        string statement =
            count <= MostNamed
                ? $"GRANT SELECT ON LARGE OBJECT {list} TO {role};"
                : "DO $$ DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE format("
                    + $"'GRANT SELECT ON LARGE OBJECT %s TO {role.Replace("'", "''", StringComparison.Ordinal)}', o); END LOOP; END $$;";
        yield return Finding.Error(
            ErrorCode.LargeObjectUnreadable,
            database,
            $"{database}: {facts.Role} may not read {Words.Count(count, "large object")}: {list}{More(count)}",
            "pg_dump of the whole database fails by it, and pg_read_all_data does not cover large objects",
            $"In {database}, as the owner or a superuser: {statement}"
        );
    }

    /// <summary>Tables of which a policy hides rows. Nothing where there are none.</summary>
    public IEnumerable<Finding> ForHiddenRows(IReadOnlyList<RelationGroup> groups)
    {
        if (groups.Count > 0)
        {
            yield return Finding.Error(
                ErrorCode.RowsHidden,
                database,
                $"{database}: row-level security hides rows from {facts.Role} in {Named(groups, "table")}",
                "a dump of some rows is no backup, so pg_dump fails",
                $"As a superuser: ALTER ROLE {groups[0].Role} BYPASSRLS;"
            );
        }
    }

    private static string Named(IReadOnlyList<RelationGroup> groups, string noun)
    {
        long count = groups.Sum(static g => g.Objects);
        return $"{Words.Count(count, noun)}: {string.Join(", ", groups.SelectMany(static g => g.Names).Take(MostNamed))}{More(count)}";
    }

    private static string More(long count) =>
        count > MostNamed ? string.Create(CultureInfo.InvariantCulture, $" and {count - MostNamed} more") : "";
}
