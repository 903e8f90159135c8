using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Restore;

/// <summary>A database that is at the target before a restore, as far as it matters whether it may be filled or replaced.</summary>
internal sealed record TargetDatabase
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its number, which no renaming changes.</summary>
    public required long Oid { get; init; }

    /// <summary>Its encoding.</summary>
    public required string Encoding { get; init; }

    /// <summary>How many things somebody made in it; null when it does not let us in.</summary>
    public required long? Objects { get; init; }

    /// <summary>All of them are extensions, which an administrator made beforehand: there is nothing in it to lose.</summary>
    public bool HasOnlyExtensions { get; init; }

    /// <summary>Its size; null when the role may not ask.</summary>
    public required long? Bytes { get; init; }

    /// <summary>How many sessions are in it.</summary>
    public required long Sessions { get; init; }

    /// <summary>Why it does not let us in.</summary>
    public PgBackupException? Closed { get; init; }

    /// <summary>The role may rename and drop it, and make another.</summary>
    public required bool MayReplace { get; init; }

    /// <summary>What stands in the way of renaming or dropping it, or null.</summary>
    public required string? Obstacle { get; init; }

    /// <summary>What stands in the way of dropping it, or null.</summary>
    public required string? DropObstacle { get; init; }

    /// <summary>Looks at a database; null when it does not exist.</summary>
    public static async Task<TargetDatabase?> LookAsync(string name, PostgresServer server, PsqlSession session, CancellationToken cancel)
    {
        IReadOnlyList<JsonElement> found = await session.QueryAsync(
            $"""
            SELECT d.oid::bigint AS oid, pg_encoding_to_char(d.encoding) AS encoding, d.datistemplate AS template,
              r.rolsuper OR (r.rolcreatedb AND pg_has_role(d.datdba, 'USAGE')) AS may_replace,
              CASE WHEN has_database_privilege(d.oid, 'CONNECT')
                OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(d.oid) END AS bytes,
              (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid) AS sessions,
              (SELECT count(*) FROM pg_prepared_xacts x WHERE x.database = d.datname) AS prepared,
              (SELECT count(*) FROM pg_subscription s WHERE s.subdbid = d.oid) AS subscriptions,
              (SELECT count(*) FROM pg_replication_slots s WHERE s.database = d.datname AND s.active) AS slots
            FROM pg_database d, pg_roles r WHERE d.datname = {Sql.Literal(name)} AND r.rolname = current_user
            """,
            cancel
        );
        if (found.Count == 0)
        {
            return null;
        }

        JsonElement row = found[0];
        var database = new TargetDatabase
        {
            Name = name,
            Oid = row.GetProperty("oid").GetInt64(),
            Encoding = row.GetProperty("encoding").GetString()!,
            Objects = null,
            Bytes = row.GetProperty("bytes") is { ValueKind: JsonValueKind.Number } bytes ? bytes.GetInt64() : null,
            Sessions = row.GetProperty("sessions").GetInt64(),
            MayReplace = row.GetProperty("may_replace").GetBoolean(),
            Obstacle =
                row.GetProperty("prepared").GetInt64() > 0
                    ? "it has prepared transactions (pg_prepared_xacts), which have to be committed or rolled back"
                    : null,
            DropObstacle =
                row.GetProperty("template").GetBoolean() ? "it is a template (ALTER DATABASE ... IS_TEMPLATE false)"
                : row.GetProperty("subscriptions").GetInt64() > 0
                    ? "it has subscriptions, which have to be dropped in it first (DROP SUBSCRIPTION)"
                : row.GetProperty("slots").GetInt64() > 0 ? "a replication slot of it is in use (pg_replication_slots)"
                : null,
        };
        try
        {
            await using PsqlSession inside = await server.ConnectAsync(name, TimeSpan.Zero, cancel);
            (long objects, long ofExtensions) = await CountAsync(inside, cancel);
            return database with { Objects = objects, HasOnlyExtensions = objects > 0 && objects == ofExtensions };
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.Connection)
        {
            return database with { Closed = e };
        }
    }

    /// <summary>The latest time that its rows carry; changes nothing.</summary>
    public async Task<NewestRow> NewestRowAsync(PostgresServer server, CancellationToken cancel)
    {
        if (Closed is not null)
        {
            return new NewestRow { Untold = "it does not let us in" };
        }

        try
        {
            await using PsqlSession inside = await server.ConnectAsync(Name, TimeSpan.Zero, cancel);
            return await NewestRow.ReadAsync(inside, server.Clock, cancel);
        }
        catch (PgBackupException e)
        {
            return new NewestRow { Untold = e.Message };
        }
    }

    /// <summary>
    /// Keeps applications out of a database that was made for a restore and is not good: only superusers get in, for inspection.
    /// Returns what to tell the operator.
    /// </summary>
    public static async Task<string> CloseAsync(string name, PostgresServer server)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15), server.Clock);
        string drop = $"Before the next try: DROP DATABASE {Sql.Name(name)};";
        try
        {
            await using PsqlSession session = await server.ConnectAsync(TimeSpan.Zero, patience.Token);
            PsqlReply reply = await session.TryAsync($"ALTER DATABASE {Sql.Name(name)} CONNECTION LIMIT 0", patience.Token);
            return reply.Succeeded
                ? $"{name} was left for inspection, open to superusers only (CONNECTION LIMIT 0). {drop}"
                : $"{name} was left as it is, and could not be closed: {reply.Message}. {drop}";
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            return $"{name} was left as it is, and could not be closed: {e.Message} {drop}";
        }
    }

    /// <summary>Says why nothing is restored into it.</summary>
    public void Refuse(string encoding, string target) =>
        throw (
            Closed is not null ? Closed
            : Objects > 0
                ? new PgBackupException(
                    ErrorCode.TargetNotEmpty,
                    $"the database \"{Name}\" at {target} is not empty ({Objects} objects); a restore into it would double rows.",
                    "Add --swap, which restores beside it, compares, and then exchanges the two, or --clean, which drops it first; or "
                        + "restore under another name with --database DB --as NAME."
                )
            : new PgBackupException(
                ErrorCode.TargetInvalid,
                $"the empty database \"{Name}\" has the encoding {Encoding}, and the original has {encoding}.",
                $"Drop it (DROP DATABASE {Sql.Name(Name)}), or add --clean: the restore makes it as it was."
            )
        );

    /// <summary>Says why it cannot be renamed or dropped, if so; sessions in it are no reason, they are ended.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>.</exception>
    public void RequireReplaceable(bool drop, string target)
    {
        string doing = drop ? "dropped" : "renamed";
        if (!MayReplace)
        {
            throw new PgBackupException(
                ErrorCode.TargetInvalid,
                $"the database \"{Name}\" at {target} cannot be {doing} by this role; nothing was changed.",
                "Restore as a superuser, or as a role that may create databases (CREATEDB) and is the database's owner or a member of it."
            );
        }

        if ((Obstacle ?? (drop ? DropObstacle : null)) is { } obstacle)
        {
            throw new PgBackupException(
                ErrorCode.TargetInvalid,
                $"the database \"{Name}\" at {target} cannot be {doing}: {obstacle}; nothing was changed.",
                "Remove what prevents it, then restore again."
            );
        }
    }

    private static async Task<(long All, long OfExtensions)> CountAsync(PsqlSession inside, CancellationToken cancel)
    {
        JsonElement row = await inside.QueryRowAsync(
            """
            WITH made(class, id) AS (
              SELECT 'pg_class'::regclass, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_'
                AND n.nspname <> 'information_schema'
              UNION ALL SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
              UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
                WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
              UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspname !~ '^pg_'
                AND nspname NOT IN ('information_schema', 'public')
              UNION ALL SELECT 'pg_extension'::regclass, oid FROM pg_extension WHERE extname <> 'plpgsql'
              UNION ALL SELECT 'pg_largeobject'::regclass, oid FROM pg_largeobject_metadata
              UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication
              UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
              UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server)
            SELECT count(*) AS objects, count(*) FILTER (WHERE class = 'pg_extension'::regclass OR EXISTS (
              SELECT FROM pg_depend d WHERE d.classid = class AND d.objid = id AND (d.deptype = 'e' OR d.refclassid = 'pg_class'::regclass
                AND d.deptype IN ('i', 'a') OR d.refclassid = 'pg_type'::regclass AND d.deptype = 'i')
                AND (d.deptype = 'e' OR EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid
                AND e.deptype = 'e')))) AS of_extensions
            FROM made
            """,
            cancel
        );
        return (row.GetProperty("objects").GetInt64(), row.GetProperty("of_extensions").GetInt64());
    }
}
