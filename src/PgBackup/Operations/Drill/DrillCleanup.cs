using System.Globalization;
using PgBackup.Archives;
using PgBackup.Postgres;

namespace PgBackup.Operations.Drill;

/// <summary>
/// Removes what a drill made in a server that the config names: databases, tablespaces, roles, settings of all roles. Only what the
/// snapshot names was made by a drill; anything else new is from somebody who works there at the same time. What cannot be removed
/// does not stop the rest; it is reported with the statements that remove it.
/// </summary>
/// <param name="server">The server.</param>
/// <param name="databases">Those that the drill makes; none of them was there before.</param>
/// <param name="made">The other things that the snapshot names.</param>
/// <param name="before">What was there before.</param>
internal sealed class DrillCleanup(PostgresServer server, IReadOnlyList<string> databases, GlobalNames made, ServerBelongings before)
{
    private readonly List<string> left = [];
    private CancellationToken end;

    /// <summary>How long it may take: it is not to be cancelled, and a drill has to end all the same.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Removes it all. It is not to be cancelled.</summary>
    /// <returns>What stays, or is not as it was; a sentence for each.</returns>
    /// <exception cref="PgBackupException">The connection was lost.</exception>
    public async Task<IReadOnlyList<string>> RunAsync()
    {
        using var limit = new CancellationTokenSource(Limit, server.Clock);
        end = limit.Token;
        try
        {
            await RemoveAsync();
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            string[] drop =
            [
                .. databases.Select(static d => $"DROP DATABASE IF EXISTS {Sql.Name(d)} WITH (FORCE)"),
                .. made.Tablespaces.Except(before.Tablespaces).Select(static t => $"DROP TABLESPACE IF EXISTS {Sql.Name(t)}"),
                .. made.Roles.Except(before.Roles.Keys).Select(static r => $"DROP ROLE IF EXISTS {Sql.Name(r)}"),
            ];
            left.Add(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"the clean-up of {server.Description} was given up after {Limit.TotalSeconds:0} s; some of what the drill made "
                        + $"may be left there. To remove it: {Join(drop)}"
                )
            );
        }

        return left;
    }

    private async Task RemoveAsync()
    {
        await using PsqlSession session = await server.ConnectAsync(TimeSpan.FromSeconds(30), end);
        // What somebody else holds keeps nothing else from being removed.
        await session.ExecuteAsync("SET lock_timeout = '60s'", end);
        foreach (string database in databases)
        {
            await DropDatabaseAsync(session, database);
        }

        var now = await ServerBelongings.ReadAsync(session, end);
        foreach (string tablespace in now.Tablespaces.Except(before.Tablespaces).Where(made.Tablespaces.Contains))
        {
            await TryAsync(session, $"the tablespace {tablespace}", [$"DROP TABLESPACE {Sql.Name(tablespace)}"]);
        }

        await DropRolesAsync(
            session,
            [.. now.Roles.Keys.Except(before.Roles.Keys).Where(made.Roles.Contains).Order(StringComparer.Ordinal)]
        );
        foreach (
            string setting in now.Settings.Keys.Where(s =>
                made.Settings.Contains(s) && now.Settings[s] != before.Settings.GetValueOrDefault(s)
            )
        )
        {
            await TryAsync(
                session,
                $"the setting {setting} of all roles",
                [
                    before.Settings.TryGetValue(setting, out string? old)
                        ? GlobalsSupplement.Setting(old)
                        : $"ALTER ROLE ALL RESET {Sql.Name(setting)}",
                ]
            );
        }

        now = await ServerBelongings.ReadAsync(session, end);
        List<string> changed =
        [
            .. before
                .Roles.Where(r => made.Roles.Contains(r.Key) && now.Roles.TryGetValue(r.Key, out string? digest) && digest != r.Value)
                .Select(static r => r.Key),
        ];
        if (changed.Count > 0)
        {
            left.Add(
                $"these roles were in {server.Description} before, and have the attributes and passwords of the snapshot now: "
                    + $"{string.Join(", ", changed)}"
            );
        }

        List<string> others =
        [
            .. now.Roles.Keys.Except(before.Roles.Keys).Where(r => !made.Roles.Contains(r)).Order(StringComparer.Ordinal),
        ];
        if (others.Count > 0)
        {
            left.Add($"these roles are new in {server.Description}, and no roles of the snapshot: they stay: {string.Join(", ", others)}");
        }
    }

    // A restore that was stopped may have left backends: FORCE ends them. Neither a template nor a database with subscriptions can be
    // dropped.
    private async Task DropDatabaseAsync(PsqlSession session, string database)
    {
        string name = Sql.Name(database);
        string quoted = Sql.Literal(database);
        string drop = $"DROP DATABASE IF EXISTS {name} WITH (FORCE)";
        if ((await session.TryAsync(drop, end)).Succeeded)
        {
            return;
        }

        List<string> statements = [];
        if ((await session.QueryAsync($"SELECT 1 AS there FROM pg_database WHERE datname = {quoted} AND datistemplate", end)).Count > 0)
        {
            statements.Add($"ALTER DATABASE {name} IS_TEMPLATE false");
        }

        HashSet<string> subscriptions = await RoleLimits.NamesAsync(
            session,
            $"SELECT s.subname AS name FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid WHERE d.datname = {quoted}",
            end
        );
        if (subscriptions.Count > 0)
        {
            // The slot is the publisher's, whom a drill does not know.
            string[] inside =
            [
                .. subscriptions
                    .Select(Sql.Name)
                    .SelectMany(static s =>
                        (string[])
                            [$"ALTER SUBSCRIPTION {s} DISABLE", $"ALTER SUBSCRIPTION {s} SET (slot_name = NONE)", $"DROP SUBSCRIPTION {s}"]
                    ),
            ];
            try
            {
                await using PsqlSession within = await server.ConnectAsync(database, TimeSpan.Zero, end);
                foreach (string statement in inside)
                {
                    await within.ExecuteAsync(statement, end);
                }
            }
            catch (PgBackupException e)
            {
                left.Add($"the subscriptions of {database} could not be removed: {e.Message} In {database}: {Join(inside)}");
            }
        }

        await TryAsync(session, $"the database {database}", [.. statements, drop]);
    }

    // Their privileges on what is shared (settings, for instance) would hold them. Together they can be dropped whatever they have of each
    // other.
    private async Task DropRolesAsync(PsqlSession session, string[] roles)
    {
        if (
            roles.Length == 0
            || (await session.TryAsync(Owned(roles), end)).Succeeded && (await session.TryAsync(Drop(roles), end)).Succeeded
        )
        {
            return;
        }

        // One by one then; as long as one goes, another may become free.
        List<string> staying = [.. roles];
        for (int count = 0; count != staying.Count; )
        {
            count = staying.Count;
            foreach (string role in roles.Where(staying.Contains))
            {
                if ((await session.TryAsync(Owned([role]), end)).Succeeded && (await session.TryAsync(Drop([role]), end)).Succeeded)
                {
                    staying.Remove(role);
                }
            }
        }

        foreach (string role in staying)
        {
            await TryAsync(session, $"the role {role} (with its password)", [Owned([role]), Drop([role])]);
        }

        static string Owned(string[] roles) => $"DROP OWNED BY {string.Join(", ", roles.Select(Sql.Name))}";
        static string Drop(string[] roles) => $"DROP ROLE {string.Join(", ", roles.Select(Sql.Name))}";
    }

    private async Task TryAsync(PsqlSession session, string what, IReadOnlyList<string> statements)
    {
        foreach (string statement in statements)
        {
            PsqlReply reply = await session.TryAsync(statement, end);
            if (!reply.Succeeded)
            {
                left.Add(
                    $"{what} is left in {server.Description}: {reply.Message} (SQLSTATE {reply.SqlState}). To remove it: {Join(statements)}"
                );
                return;
            }
        }
    }

    private static string Join(IEnumerable<string> statements) => string.Join(" ", statements.Select(static s => s.TrimEnd(';') + ";"));
}
