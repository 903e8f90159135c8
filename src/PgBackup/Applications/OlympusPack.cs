using System.Globalization;
using PgBackup.Snapshots;

namespace PgBackup.Applications;

/// <summary>
/// What a restored database of Ory Kratos, of Ory Hydra or of Olympus' settings should be able to answer. A question is asked where its
/// columns are; the tables are looked for in the schema public.
/// </summary>
internal static class OlympusPack
{
    /// <summary>The question for foreign keys, which is made from the catalog.</summary>
    public const string ForeignKeys = "foreign keys with orphans";

    /// <summary>
    /// A row for each foreign key that was restored without looking at the rows (NOT VALID), with the query that counts its orphans. All
    /// the others need no question: Postgres itself looked at every row when pg_restore made them, and a refusal is an error of the
    /// restore.
    /// Those that compare by something else than equality (periods) are left out.
    /// </summary>
    public const string UncheckedForeignKeys = """
        SELECT format('%s: %s', c.conrelid::regclass, c.conname) AS name,
          format('SELECT count(*) AS n FROM %s%s f WHERE %s AND NOT EXISTS (SELECT FROM %s%s k WHERE %s)',
            CASE r.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, c.conrelid::regclass, string_agg(format('f.%I IS NOT NULL', a.attname),
              ' AND '),
            CASE t.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, c.confrelid::regclass, string_agg(format('k.%I OPERATOR(%I.%s) f.%I',
              b.attname, n.nspname, o.oprname, a.attname), ' AND ')) AS query
        FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_class t
          ON t.oid = c.confrelid, unnest(c.conkey, c.confkey, c.conpfeqop) u (own, other, equal)
            JOIN pg_attribute a ON a.attnum = u.own JOIN pg_attribute b ON b.attnum = u.other JOIN pg_operator o ON o.oid = u.equal
              JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE c.contype = 'f' AND NOT c.convalidated AND c.conparentid = 0 AND a.attrelid = c.conrelid AND b.attrelid = c.confrelid
        GROUP BY c.oid, c.conrelid, c.confrelid, c.conname, r.relkind, t.relkind HAVING bool_and(o.oprname = '=') ORDER BY 1
        """;

    // Columns that show how young the data of each database is. None is taken from others' tables of the same name: Kratos' and Hydra's
    // are looked at only where a table is that nobody else has.
    private static readonly (string Needs, string Table, string Column)[] Times =
    [
        ("identity_credentials", "identities", "created_at"),
        ("identity_credentials", "sessions", "created_at"),
        ("identity_credentials", "courier_messages", "created_at"),
        ("hydra_client", "hydra_client", "created_at"),
        ("hydra_client", "hydra_oauth2_flow", "requested_at"),
        ("hydra_client", "hydra_oauth2_refresh", "requested_at"),
        ("ciam_settings", "ciam_settings", "updated_at"),
        ("iam_settings", "iam_settings", "updated_at"),
    ];

    // What must be so, and what is only worth knowing (a null expectation).
    private static readonly PackQuestion[] Fixed =
    [
        new(["identity_credentials", "identities"], "there are identities", "SELECT count(*) FROM public.identities", "> 0"),
        new(["identity_credentials", "identities"], "there are credentials", "SELECT count(*) FROM public.identity_credentials", "> 0"),
        new(
            ["identity_credentials", "identities"],
            "credentials per identity",
            "SELECT round((SELECT count(*) FROM public.identity_credentials)::numeric / nullif((SELECT count(*) FROM "
                + "public.identities), 0), 2)",
            null
        ),
        new(
            ["identity_credentials", "identities"],
            "no credentials without an identity",
            "SELECT count(*) FROM public.identity_credentials c WHERE NOT EXISTS (SELECT FROM public.identities i WHERE i.id = "
                + "c.identity_id)",
            "0"
        ),
        new(
            ["identity_credential_identifiers", "identity_credentials"],
            "no identifiers without credentials",
            "SELECT count(*) FROM public.identity_credential_identifiers n WHERE NOT EXISTS (SELECT FROM public.identity_credentials "
                + "c WHERE c.id = n.identity_credential_id)",
            "0"
        ),
        new(
            ["identity_credentials", "courier_messages.status"],
            "mails that a restored courier would send again",
            "SELECT count(*) FROM public.courier_messages WHERE status IN (1, 3)",
            null
        ),
        new(["hydra_client"], "there are OAuth2 clients", "SELECT count(*) FROM public.hydra_client", "> 0"),
        new(
            ["hydra_client", "hydra_oauth2_refresh"],
            "no refresh tokens without a client",
            "SELECT count(*) FROM public.hydra_oauth2_refresh t WHERE NOT EXISTS (SELECT FROM public.hydra_client c WHERE c.id = "
                + "t.client_id)",
            "0"
        ),
        new(["hydra_jwk"], "there are signing keys", "SELECT count(*) FROM public.hydra_jwk", "> 0"),
        new(["ciam_settings"], "there are customer settings", "SELECT count(*) FROM public.ciam_settings", "> 0"),
        new(["iam_settings"], "there are employee settings", "SELECT count(*) FROM public.iam_settings", "> 0"),
        new(["schema_migration.version"], "schema version", "SELECT max(version) FROM public.schema_migration", null),
    ];

    private const string Migrations = "migrations, as many as the snapshot has";
    private const string Newest = "newest row, minutes before the snapshot";
    private const string Future = "no row from after the snapshot";

    /// <summary>The names of all questions.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Fixed.Select(static c => c.Name), Newest, Future, Migrations, ForeignKeys];

    /// <summary>Refuses names that no question has.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>.</exception>
    public static void RequireNames(IReadOnlyList<string> names)
    {
        string[] unknown = [.. names.Except(Names)];
        if (unknown.Length > 0)
        {
            throw new PgBackupException(
                ErrorCode.ConfigInvalid,
                $"drill.skip_checks: there is no built-in check \"{string.Join("\", \"", unknown)}\".",
                $"There are: {string.Join("; ", Names)}."
            );
        }
    }

    /// <summary>The questions for one database, in the order of the report; empty where nothing in it is known.</summary>
    /// <param name="columns">The tables and columns of its schema public, as <c>table</c> and <c>table.column</c>.</param>
    /// <param name="manifest">The snapshot.</param>
    /// <param name="database">The database's name in the snapshot.</param>
    public static IReadOnlyList<PackQuestion> For(IReadOnlySet<string> columns, Manifest manifest, string database)
    {
        List<PackQuestion> checks = [.. Fixed.Where(c => c.Needs.All(columns.Contains))];
        // Whatever has a table schema_migration and nothing else that is known is not of Olympus.
        if (checks.All(static c => c.Needs[0].StartsWith("schema_migration", StringComparison.Ordinal)))
        {
            return [];
        }

        (string Table, string Column)[] times =
        [
            .. Times
                .Where(t => columns.Contains(t.Needs) && columns.Contains($"{t.Table}.{t.Column}"))
                .Select(static t => (t.Table, t.Column)),
        ];
        if (times.Length > 0)
        {
            // The clocks of the server and of the host that took the snapshot may differ somewhat.
            string start = Time(manifest.Started),
                end = Time(manifest.Finished.AddMinutes(5));
            string newest = string.Join(
                ", ",
                times.Select(static t => $"(SELECT max({t.Column}) FILTER (WHERE isfinite({t.Column})) FROM public.{t.Table})")
            );
            checks.Add(
                new PackQuestion([], Newest, $"SELECT greatest(0, round(extract(epoch FROM {start} - greatest({newest})) / 60))", null)
            );
            string future = string.Join(
                " + ",
                times.Select(t => $"(SELECT count(*) FROM public.{t.Table} WHERE isfinite({t.Column}) AND {t.Column} > {end})")
            );
            checks.Add(new PackQuestion([], Future, $"SELECT {future}", "0"));
        }

        if (
            manifest.Databases.FirstOrDefault(p => p.Database == database)?.Proof.Tables.GetValueOrDefault("public.schema_migration")
                is { } proof
            && columns.Contains("schema_migration.version")
        )
        {
            checks.Add(
                new PackQuestion(
                    [],
                    Migrations,
                    "SELECT count(*) FROM public.schema_migration",
                    proof.Rows.ToString(CultureInfo.InvariantCulture)
                )
            );
        }

        return checks;
    }

    /// <summary>The questions that cannot be asked any more, because tables of an earlier snapshot are gone, each with
    /// those tables.</summary>
    /// <param name="columns">What the database has, as in <see cref="For"/>.</param>
    /// <param name="earlier">The same of the earlier snapshot.</param>
    public static IEnumerable<(PackQuestion Question, IReadOnlyList<string> Missing)> Lost(
        IReadOnlySet<string> columns,
        IReadOnlySet<string> earlier
    ) =>
        Fixed
            .Where(c => c.Expect is not null && c.Needs.All(n => columns.Contains(n) || earlier.Contains(n)))
            .Select(c => (c, (IReadOnlyList<string>)[.. c.Needs.Where(n => !columns.Contains(n))]))
            .Where(static c => c.Item2.Count > 0);

    private static string Time(DateTimeOffset time) =>
        $"timestamp '{time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture)}'";
}

/// <summary>A built-in question.</summary>
/// <param name="Needs">The tables, and columns as <c>table.column</c>, without which it is not asked.</param>
/// <param name="Name">What to call it.</param>
/// <param name="Sql">The query.</param>
/// <param name="Expect">What it must answer; null for whatever is only worth knowing.</param>
internal sealed record PackQuestion(IReadOnlyList<string> Needs, string Name, string Sql, string? Expect)
{
    /// <summary>What it must answer, read.</summary>
    public Expectation? Expectation => Expect is null ? null : Expectation.TryParse(Expect);
}
