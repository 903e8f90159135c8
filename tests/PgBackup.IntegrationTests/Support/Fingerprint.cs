namespace PgBackup.IntegrationTests.Support;

/// <summary>
/// What a server holds, told by its catalogs and rows, line by line; nothing of it comes from the product. Left out is only what no dump
/// contains: invalid indexes, the rows of materialized views (they are refreshed), the owner of an extension.
/// </summary>
internal static class Fingerprint
{
    private const string Settings = """
        SET search_path = pg_catalog; SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = UTC; SET extra_float_digits = 1; SET bytea_output = hex; SET xmloption = content; SET client_encoding = UTF8;

        """;

    // Privileges as a set: a dump keeps what they say, not their order, nor whether the default is written out.
    private const string Acl =
        "(SELECT string_agg(format('%s>%s:%s%s', a.grantor::regrole, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE "
        + "a.grantee::regrole::text END, a.privilege_type, CASE WHEN a.is_grantable THEN '*' END), ' ' ORDER BY "
        + "a.grantor::regrole::text, a.grantee::regrole::text, a.privilege_type) FROM aclexplode(coalesce(ACL, "
        + "acldefault(KIND, OWNER))) a)";

    // The attribute options that a user can set (PostgreSQL manual, ALTER TABLE, "attribute_option"). Minor versions keep notes of their
    // own in the same column, which differ from server to server and are in no dump.
    private const string AttributeOptions =
        "(SELECT string_agg(o, ' ' ORDER BY o) FROM unnest(a.attoptions) o WHERE split_part(o, '=', 1) IN ('n_distinct', "
        + "'n_distinct_inherited'))";

    private const string Cluster = """
        SELECT 'role', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit,
          rolvaliduntil, rolpassword, shobj_description(oid, 'pg_authid')
        FROM pg_authid WHERE rolname !~ '^pg_' AND rolname <> 'postgres';
        SELECT 'member', roleid::regrole, member::regrole, grantor::regrole, admin_option, inherit_option, set_option FROM pg_auth_members;
        SELECT 'parameter', parname, paracl FROM pg_parameter_acl;
        SELECT 'role setting', setrole::regrole, setting FROM pg_db_role_setting, unnest(setconfig) setting WHERE setdatabase = 0;
        """;

    /// <summary>Roles with their passwords, memberships, settings.</summary>
    public static async Task<string> OfRolesAsync(PostgresContainer server) =>
        Sorted(await server.SqlAsync("postgres", Settings + Cluster, zero: true));

    /// <summary>A database's own facts: owner, locale, privileges, settings, comment.</summary>
    public static async Task<string> OfDatabaseItselfAsync(PostgresContainer server, string database) =>
        Sorted(
            await server.SqlAsync(
                "postgres",
                Settings
                    + $"""
                    SELECT 'database', datdba::regrole, pg_encoding_to_char(encoding), datlocprovider, datcollate, datctype, datlocale,
                      daticurules, datconnlimit, datallowconn, datistemplate,
                      {Acl.Replace("KIND", "'d'").Replace("ACL", "datacl").Replace(
                        "OWNER",
                        "datdba"
                    )}, shobj_description(oid, 'pg_database')
                    FROM pg_database WHERE datname = '{database.Replace("'", "''")}';
                    SELECT 'setting', CASE setrole WHEN 0 THEN '' ELSE setrole::regrole::text END, setting
                      FROM pg_db_role_setting, unnest(setconfig) setting
                    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = '{database.Replace("'", "''")}');
                    """,
                zero: true
            )
        );

    /// <summary>Everything in a database: definitions, owners, privileges, comments, rows, sequences, large objects.</summary>
    public static async Task<string> OfContentsAsync(PostgresContainer server, string database)
    {
        const string User = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
        string sql =
            Settings
            + $$"""
                SELECT 'schema', nspname, nspowner::regrole, {{Acl.Replace("KIND", "'n'").Replace("ACL", "nspacl").Replace(
                    "OWNER",
                    "nspowner"
                )}} FROM pg_namespace n WHERE {{User}};
                SELECT 'relation', n.nspname, c.relname, c.relkind, c.relowner::regrole, c.relpersistence, c.relrowsecurity,
                  c.relforcerowsecurity, c.relreplident, c.reloptions, c.relispartition,
                  pg_get_expr(c.relpartbound, c.oid), am.amname, CASE WHEN c.relkind IN ('r','p','v','m','f','S') THEN
                  {{Acl.Replace("KIND", "CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r'::\"char\" END").Replace(
                    "ACL",
                    "c.relacl"
                ).Replace("OWNER", "c.relowner")}} END
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am am ON am.oid = c.relam LEFT JOIN pg_index i
                  ON i.indexrelid = c.oid
                WHERE {{User}} AND (i.indisvalid OR i.indexrelid IS NULL OR c.relkind = 'I');
                SELECT 'column', c.oid::regclass, row_number() OVER (PARTITION BY c.oid
                  ORDER BY a.attnum), a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                  a.attstorage, a.attcompression, a.attstattarget, {{AttributeOptions}}, a.attfdwoptions, a.attacl,
                    a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid)
                FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT
                  JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE {{User}} AND c.relkind IN ('r','p','v','m','f','c') AND a.attnum > 0 AND NOT a.attisdropped;
                SELECT 'index', pg_get_indexdef(i.indexrelid), i.indisclustered, i.indisreplident, i.indisprimary, i.indimmediate
                  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE {{User}} AND (i.indisvalid OR c.relkind = 'I');
                SELECT 'view', c.oid::regclass, pg_get_viewdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE {{User}} AND c.relkind IN ('v','m');
                SELECT 'constraint', conname, conrelid::regclass, contypid::regtype, pg_get_constraintdef(k.oid), convalidated,
                  condeferrable, condeferred, CASE contype WHEN 'c' THEN connoinherit END FROM pg_constraint k JOIN pg_namespace n
                    ON n.oid = k.connamespace WHERE {{User}};
                SELECT 'trigger', tgrelid::regclass, pg_get_triggerdef(t.oid), tgenabled FROM pg_trigger t WHERE NOT tgisinternal;
                SELECT 'rule', ev_class::regclass, pg_get_ruledef(r.oid), ev_enabled FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
                  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {{User}} AND rulename <> '_RETURN';
                SELECT 'policy', schemaname, tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies;
                SELECT 'function', p.oid::regprocedure, p.proowner::regrole, CASE
                  WHEN p.prokind IN ('f','p') THEN md5(pg_get_functiondef(p.oid)) END, p.prokind, {{Acl.Replace(
                        "KIND",
                        "'f'"
                    ).Replace("ACL", "p.proacl").Replace("OWNER", "p.proowner")}}
                FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {{User}} AND NOT EXISTS (SELECT FROM pg_depend x
                  WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid AND x.deptype = 'e');
                SELECT 'type', t.oid::regtype, t.typtype, t.typowner::regrole, t.typnotnull, t.typdefault, t.typbasetype::regtype,
                  {{Acl.Replace(
                        "KIND",
                        "'T'"
                    ).Replace("ACL", "t.typacl").Replace("OWNER", "t.typowner")}},
                  (SELECT string_agg(e.enumlabel, '|' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
                FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {{User}} AND NOT EXISTS (SELECT FROM pg_depend x
                  WHERE x.classid = 'pg_type'::regclass AND x.objid = t.oid AND x.deptype = 'e');
                SELECT 'language', lanname, lanowner::regrole, {{Acl.Replace("KIND", "'l'").Replace("ACL", "lanacl").Replace(
                    "OWNER",
                    "lanowner"
                )}} FROM pg_language WHERE lanispl;
                SELECT 'extension', extname, extversion, extnamespace::regnamespace FROM pg_extension;
                SELECT 'default acl', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, (SELECT string_agg(x::text, ' '
                  ORDER BY x::text) FROM unnest(defaclacl) x) FROM pg_default_acl;
                SELECT 'catalog function', oid::regprocedure, proacl FROM pg_proc WHERE proname = 'pg_ls_waldir';
                SELECT 'event trigger', evtname, evtevent, evtowner::regrole, evtfoid::regproc, evtenabled, evttags FROM pg_event_trigger;
                SELECT 'statistics', pg_get_statisticsobjdef(oid), stxowner::regrole, stxstattarget FROM pg_statistic_ext;
                SELECT 'publication', pubname, pubowner::regrole, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot
                  FROM pg_publication;
                SELECT 'published', pubname, schemaname, tablename, attnames, rowfilter FROM pg_publication_tables;
                SELECT 'subscription', subname, subowner::regrole, subenabled, subbinary, subconninfo, subslotname, subpublications
                  FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database());
                SELECT 'server', srvname, srvowner::regrole, srvtype, srvversion, srvacl, (SELECT string_agg(x, ' ' ORDER BY x)
                  FROM unnest(srvoptions) x) FROM pg_foreign_server;
                SELECT 'mapping', srvname, usename, (SELECT string_agg(x, ' ' ORDER BY x) FROM unnest(umoptions) x) FROM pg_user_mappings;
                SELECT 'foreign table', ftrelid::regclass, ftoptions FROM pg_foreign_table;
                SELECT 'comment', pg_describe_object(classoid, objoid, objsubid), description FROM pg_description d WHERE objoid >= 16384
                  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = d.objoid AND NOT i.indisvalid);
                SELECT 'security label', objtype, objname, provider, label FROM pg_seclabels;
                SELECT 'large object', oid, lomowner::regrole, {{Acl.Replace("KIND", "'L'").Replace("ACL", "lomacl").Replace(
                    "OWNER",
                    "lomowner"
                )}}, md5(lo_get(oid)) FROM pg_largeobject_metadata;
                SELECT format('SELECT ''sequence'', %L, last_value, is_called FROM %I.%I', c.oid::regclass, n.nspname, c.relname)
                  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {{User}}
                \gexec
                SELECT format('SELECT ''rows'', %L, count(*), md5(string_agg(md5(t::text), '','' ORDER BY md5(t::text) COLLATE "C")) FROM %s %I.%I t', c.oid::regclass, CASE c.relkind WHEN 'r' THEN 'ONLY' END, n.nspname, c.relname)
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE (c.relkind = 'p' OR c.relkind = 'r')
                  AND NOT c.relispartition AND {{User}}
                \gexec
                """;
        return Sorted(await server.SqlAsync(database, sql, zero: true));
    }

    /// <summary>Compares, and tells only the lines that differ.</summary>
    public static void ShouldBeSameAs(this string found, string expected, string what)
    {
        string[] missing = [.. expected.Split('\0').Except(found.Split('\0'))];
        string[] extra = [.. found.Split('\0').Except(expected.Split('\0'))];
        if (found != expected)
        {
            throw new ShouldAssertException(
                $"{what}: {missing.Length} lines are missing, {extra.Length} are too many\n- "
                    + $"{string.Join("\n- ", missing.Take(12))}\n+ {string.Join("\n+ ", extra.Take(12))}"
            );
        }
    }

    private static string Sorted(string records) => string.Join('\0', records.Split('\0').Order(StringComparer.Ordinal));
}
