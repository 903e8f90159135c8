using System.Globalization;
using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Restore;

/// <summary>
/// Lets restored databases take the names of the present ones, all in one transaction: PostgreSQL renames a database inside of one, and
/// new connections wait for its end, and then learn that the database was renamed. So there is no moment with half
/// of the names exchanged, nothing to switch off and on again, and nothing to repair after a crash.
/// </summary>
internal sealed class DatabaseSwap(PostgresServer server, IReadOnlyList<DatabaseRestore> swaps, TimeProvider clock)
{
    private const string InUse = "55006";
    private const int Attempts = 3;

    private readonly SortedSet<string> staying = new(StringComparer.Ordinal);

    /// <summary>Ends the sessions in the databases and renames. It is not to be cancelled, and ends by itself within a minute or
    /// two.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SwapFailed"/>; its message says how it stands.</exception>
    public async Task RunAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(5), clock);
        string why;
        try
        {
            await using PsqlSession session = await server.ConnectAsync(TimeSpan.FromSeconds(10), patience.Token);
            await using PsqlSession ender = await server.ConnectAsync(TimeSpan.FromSeconds(10), patience.Token);
            Dictionary<string, long> copies = await NumbersAsync(session, patience.Token);
            string? refusal = null;
            for (int attempt = 0; attempt < Attempts; attempt++)
            {
                PsqlReply? refused = await TryAsync(session, ender, copies, patience.Token);
                if (refused is null)
                {
                    return;
                }

                refusal =
                    $"{refused.Message} (SQLSTATE "
                    + $"{refused.SqlState}){(staying.Count > 0 ? "; sessions that cannot be ended: " + string.Join(", ", staying) : "")}";
                if (refused.SqlState != InUse)
                {
                    break;
                }
            }

            why = refusal!;
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            // The connection may have been lost after the server had got the COMMIT: it knows.
            why = e.Message;
        }

        await RequireNothingChangedAsync(why);
    }

    // Returns the refusal, or null when all are renamed.
    private async Task<PsqlReply?> TryAsync(
        PsqlSession session,
        PsqlSession ender,
        Dictionary<string, long> copies,
        CancellationToken cancel
    )
    {
        await session.ExecuteAsync("BEGIN", cancel);
        foreach (DatabaseRestore swap in swaps)
        {
            foreach ((string statement, long oid) in swap.Step.Renames().Zip([swap.Found!.Oid, copies[swap.Name]]))
            {
                PsqlReply reply = await RenameAsync(session, ender, statement, oid, cancel);
                if (!reply.Succeeded)
                {
                    await session.ExecuteAsync("ROLLBACK", cancel);
                    return reply;
                }
            }
        }

        // Somebody else may have renamed since the plan was made: it is these very databases, or none.
        if (!await StandsAsync(session, copies, cancel))
        {
            await session.ExecuteAsync("ROLLBACK", cancel);
            return new PsqlReply
            {
                Succeeded = false,
                SqlState = "",
                Message = "the present databases are not those for which the restore was prepared",
                Lines = [],
            };
        }

        PsqlReply commit = await session.TryAsync("COMMIT", cancel);
        return commit.Succeeded ? null : commit;
    }

    // RENAME locks the database, so that nobody can come in, and then waits five seconds for those who are there to leave.
    private async Task<PsqlReply> RenameAsync(PsqlSession session, PsqlSession ender, string statement, long oid, CancellationToken cancel)
    {
        Task<PsqlReply> renaming = session.TryAsync(statement, cancel);
        while (!renaming.IsCompleted)
        {
            await EndSessionsAsync(ender, oid, cancel);
            await Task.WhenAny(renaming, Task.Delay(TimeSpan.FromMilliseconds(50), clock, cancel));
        }

        return await renaming;
    }

    // One by one: a role that may not end one session must still end the others.
    private async Task EndSessionsAsync(PsqlSession ender, long oid, CancellationToken cancel)
    {
        IReadOnlyList<JsonElement> sessions = await ender.QueryAsync(
            string.Create(
                CultureInfo.InvariantCulture,
                $"SELECT pid, coalesce(usename, '?') AS role, coalesce(application_name, '') AS application FROM pg_stat_activity "
                    + $"WHERE datid = {oid} AND backend_type IS DISTINCT FROM 'autovacuum worker'"
            ),
            cancel
        );
        foreach (JsonElement row in sessions)
        {
            int pid = row.GetProperty("pid").GetInt32();
            PsqlReply reply = await ender.TryAsync(
                string.Create(CultureInfo.InvariantCulture, $"SELECT pg_terminate_backend({pid})"),
                cancel
            );
            if (!reply.Succeeded)
            {
                staying.Add(
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{pid} of {row.GetProperty("role").GetString()} ({row.GetProperty("application").GetString()}): {reply.Message}"
                    )
                );
            }
        }
    }

    private async Task<Dictionary<string, long>> NumbersAsync(PsqlSession session, CancellationToken cancel)
    {
        Dictionary<string, long> numbers = await ServerCatalog.OidsAsync(session, cancel);
        string[] gone = [.. swaps.Select(static s => s.Name).Where(n => !numbers.ContainsKey(n))];
        return gone.Length == 0
            ? numbers
            : throw new PgBackupException(ErrorCode.SwapFailed, $"not there any more: {string.Join(", ", gone)}");
    }

    private async Task<bool> StandsAsync(PsqlSession session, Dictionary<string, long> copies, CancellationToken cancel)
    {
        Dictionary<string, long> now = await ServerCatalog.OidsAsync(session, cancel);
        return swaps.All(s =>
            now.GetValueOrDefault(s.Step.Name) == copies[s.Name] && now.GetValueOrDefault(s.Step.KeptAs!) == s.Found!.Oid
        );
    }

    private async Task RequireNothingChangedAsync(string why)
    {
        const string Remedy = "SELECT oid, datname FROM pg_database ORDER BY datname;";
        HashSet<string> names;
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60), clock);
            await using PsqlSession session = await server.ConnectAsync(TimeSpan.FromSeconds(45), patience.Token);
            names = await ServerCatalog.DatabasesAsync(session, patience.Token);
        }
        catch (Exception e) when (e is PgBackupException or OperationCanceledException)
        {
            throw new PgBackupException(
                ErrorCode.SwapFailed,
                $"{why}\n  The server cannot be asked whether the databases were exchanged; all of them were, or none. This shows it: "
                    + $"{Remedy} If there is a {swaps[0].Step.KeptAs}, they were.",
                null,
                e
            );
        }

        // All or none, so one shows it for all.
        if (!names.Contains(swaps[0].Step.KeptAs!))
        {
            throw new PgBackupException(
                ErrorCode.SwapFailed,
                $"{why}\n  Nothing was exchanged: the databases keep their names and contents. The restored copies are "
                    + $"proven equal: {string.Join(", ", swaps.Select(static s => s.Name))}."
            );
        }
    }
}
