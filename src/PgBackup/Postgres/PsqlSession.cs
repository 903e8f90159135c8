using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>
/// One long-lived session: a psql child that takes statements on stdin and answers in JSON lines. It works through a container's
/// exec as well as over the network, and ends (with its transaction and its locks) when this process does.
/// Statements run one at a time; the type is not for concurrent use.
/// </summary>
public sealed partial class PsqlSession : IAsyncDisposable
{
    private readonly ToolProcess psql;
    private readonly StreamReader reader;
    private readonly string marker = "=" + Guid.NewGuid().ToString("N");
    private readonly string where;
    private readonly TimeProvider clock;

    private PsqlSession(ToolProcess psql, string where, TimeProvider clock)
    {
        this.clock = clock;
        this.psql = psql;
        this.where = where;
        reader = new StreamReader(psql.Output, new UTF8Encoding(false), false, 64 * 1024);
    }

    /// <summary>Who logged in is a superuser; then the session is that role's, whatever the database's settings say.</summary>
    public bool LoginIsSuperuser { get; private set; }

    /// <summary>
    /// Connects, and takes all time limits off the session: it may sit in its transaction for as long as the longest dump. Names are quoted
    /// where they need it and nowhere else, as pg_dump does it, whatever the server, the database or the role set.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Connection"/> or <see cref="ErrorCode.DatabaseMissing"/>.</exception>
    internal static async Task<PsqlSession> OpenAsync(ToolProcess psql, string where, TimeProvider clock, CancellationToken cancel)
    {
        var session = new PsqlSession(psql, where, clock);
        try
        {
            await session.SetUpAsync(cancel);
            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Makes the session what it is for statements of this program. To be called again after statements of others, which may have set
    /// something for themselves: the role, the path in which names are looked for, how literals are read.
    /// </summary>
    internal async Task SettleAsync(CancellationToken cancel)
    {
        foreach (string reset in (string[])["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"])
        {
            await ExecuteAsync(reset, cancel);
        }

        await SetUpAsync(cancel);
    }

    private async Task SetUpAsync(CancellationToken cancel)
    {
        await ExecuteAsync(
            """
            SELECT set_config('client_encoding', 'UTF8', false), set_config('standard_conforming_strings', 'on', false),
                set_config('search_path', 'pg_catalog', false), set_config('DateStyle', 'ISO', false),
                set_config('row_security', 'off', false), set_config('client_min_messages', 'warning', false),
                set_config('quote_all_identifiers', 'off', false)
            """,
            cancel
        );
        // A setting of the database or role may make its sessions run as another role, and see less. A superuser who logged in stays one.
        JsonElement login = await QueryRowAsync(
            """
            SELECT (SELECT count(set_config(name, '0', false)) FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',
                'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')) AS timeouts,
              (SELECT set_config('role', 'none', false) FROM pg_roles WHERE rolname = session_user AND rolsuper) IS NOT NULL AS superuser
            """,
            cancel
        );
        LoginIsSuperuser = login.GetProperty("superuser").GetBoolean();
    }

    /// <summary>Runs a query and returns its rows as JSON objects.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SqlFailed"/>, or <see cref="ErrorCode.Connection"/> when it was
    /// lost.</exception>
    public async Task<IReadOnlyList<JsonElement>> QueryAsync(string select, CancellationToken cancel)
    {
        PsqlReply reply = await SendAsync($"SELECT pg_catalog.row_to_json(q) FROM (\n{select}\n) q", cancel);
        return Rows(reply, select);
    }

    /// <summary>
    /// Prepares a query under a name, and has the server plan it now, so that running it takes no longer than it must.
    /// </summary>
    /// <exception cref="PgBackupException">As for <see cref="QueryAsync"/>.</exception>
    public async Task PrepareAsync(string name, string select, CancellationToken cancel)
    {
        await ExecuteAsync($"PREPARE {name} AS SELECT pg_catalog.row_to_json(q) FROM (\n{select}\n) q", cancel);
        await ExecuteAsync($"EXPLAIN EXECUTE {name}", cancel);
    }

    /// <summary>Runs a query that was prepared, and returns its rows as JSON objects.</summary>
    /// <exception cref="PgBackupException">As for <see cref="QueryAsync"/>.</exception>
    public async Task<IReadOnlyList<JsonElement>> QueryPreparedAsync(string name, CancellationToken cancel) =>
        Rows(await SendAsync($"EXECUTE {name}", cancel), name);

    /// <summary>
    /// The first row of a query that somebody else wrote; null when it has none. psql hands it on without reading it: a quote that is never
    /// closed is an error of the server's, and a backslash or a colon is no command of psql's. The server carries out all of it, since an
    /// error in a later row is one too, and keeps the other rows to itself, however many there are.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SqlFailed"/>, or <see cref="ErrorCode.Connection"/> when it was
    /// lost.</exception>
    public async Task<JsonElement?> QueryFirstAsync(string select, CancellationToken cancel)
    {
        // The first row's number of all rows is known after the last one; OFFSET 0 has every column of these computed.
        string first =
            $"SELECT w.r FROM (SELECT pg_catalog.row_to_json(q.*) AS r, pg_catalog.count(*) OVER () AS n FROM (SELECT * FROM "
            + $"(\n{select}\n) s OFFSET 0) q) w WHERE w.n > 0 LIMIT 1";
        return Rows(await TryGivenAsync(first, cancel), select) is [var row, ..] ? row : null;
    }

    /// <summary>
    /// Runs a statement that somebody else wrote (it comes out of a store, or from a server) and returns the server's verdict. psql hands
    /// it on without reading it, so that a backslash in it is no command that psql would carry out where it runs, and a colon no variable.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Connection"/> when the connection was lost.</exception>
    public async Task<PsqlReply> TryGivenAsync(string statement, CancellationToken cancel)
    {
        string mark = Guid.NewGuid().ToString("N");
        string quote = $"$q{mark}$";
        PsqlReply reply = await SendAsync(
            $"\\set VERBOSITY verbose\nSELECT {quote}{statement}{quote}",
            cancel,
            $"\\gexec\n\\if :ERROR\n\\warn {mark}\n\\endif\n\\set VERBOSITY default"
        );
        return reply.Succeeded || reply.Message.Length > 0 ? reply : await ReadErrorAsync(reply, mark, cancel);
    }

    /// <summary>The same; a refusal is an error.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SqlFailed"/> with the server's message.</exception>
    public async Task ExecuteGivenAsync(string statement, CancellationToken cancel) =>
        Require(await TryGivenAsync(statement, cancel), statement);

    // Of what \gexec carried out, psql's variables know that it failed and not why: that is on stderr, before the mark.
    private async Task<PsqlReply> ReadErrorAsync(PsqlReply reply, string mark, CancellationToken cancel)
    {
        for (int i = 0; i < 200 && !psql.Errors.Contains(mark); i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(10), clock, cancel);
        }

        Match? error = psql.Errors.TakeWhile(l => l != mark).Select(static l => ErrorLine().Match(l)).LastOrDefault(static m => m.Success);
        return error is null ? reply : reply with { SqlState = error.Groups[1].Value, Message = Quotation.Line(error.Groups[2].Value) };
    }

    private List<JsonElement> Rows(PsqlReply reply, string select)
    {
        Require(reply, select);
        var rows = new List<JsonElement>(reply.Lines.Count);
        foreach (string line in reply.Lines)
        {
            using JsonDocument row = JsonDocument.Parse(line);
            rows.Add(row.RootElement.Clone());
        }

        return rows;
    }

    /// <summary>Runs a query that has exactly one row.</summary>
    public async Task<JsonElement> QueryRowAsync(string select, CancellationToken cancel)
    {
        IReadOnlyList<JsonElement> rows = await QueryAsync(select, cancel);
        return rows.Count == 1
            ? rows[0]
            : throw new PgBackupException(ErrorCode.SqlFailed, $"{where}: one row was expected, {rows.Count} came from: {select}");
    }

    /// <summary>Runs a statement for its effect.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.SqlFailed"/> with the server's message.</exception>
    public async Task ExecuteAsync(string statement, CancellationToken cancel) => Require(await SendAsync(statement, cancel), statement);

    /// <summary>Runs a statement and returns the server's verdict instead of throwing when it refuses.</summary>
    public Task<PsqlReply> TryAsync(string statement, CancellationToken cancel) => SendAsync(statement, cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await psql.Input.DisposeAsync();
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3), clock);
            await psql.WaitAsync(patience.Token);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            psql.Kill();
        }

        await psql.DisposeAsync();
        reader.Dispose();
    }

    private void Require(PsqlReply reply, string statement)
    {
        if (!reply.Succeeded)
        {
            throw new PgBackupException(
                ErrorCode.SqlFailed,
                $"{where}: {reply.Message} (SQLSTATE {reply.SqlState}) in: {Quotation.Line(statement, 300)}"
            );
        }
    }

    private async Task<PsqlReply> SendAsync(string statement, CancellationToken cancel, string end = ";")
    {
        if (statement.Contains('\0', StringComparison.Ordinal))
        {
            // psql would take what follows on the line for nothing, and wait for the end of a quote.
            throw new PgBackupException(
                ErrorCode.SqlFailed,
                $"{where}: a statement has a zero byte in it, which no name or text of Postgres can have."
            );
        }

        // psql resets :ERROR at an empty statement: exactly one semicolon may follow.
        string text =
            $"{statement.TrimEnd().TrimEnd(';')}\n{end}\n\\echo {marker} :ERROR :LAST_ERROR_SQLSTATE\n\\echo "
            + $":LAST_ERROR_MESSAGE\n\\echo {marker}\n";
        try
        {
            await psql.Input.WriteAsync(Encoding.UTF8.GetBytes(text), cancel);
            await psql.Input.FlushAsync(cancel);
        }
        catch (IOException)
        {
            throw await LostAsync();
        }

        List<string> lines = [];
        while (await reader.ReadLineAsync(cancel) is { } line)
        {
            if (!line.StartsWith(marker, StringComparison.Ordinal))
            {
                lines.Add(line);
                continue;
            }

            string[] state = line.Split(' ');
            var message = new StringBuilder();
            while (await reader.ReadLineAsync(cancel) is { } more && more != marker)
            {
                message.AppendLine(more);
            }

            return new PsqlReply
            {
                Succeeded = state is [_, "false", ..],
                SqlState = state.Length > 2 ? state[2] : "",
                Message = Quotation.Line(message.ToString().Trim()),
                Lines = lines,
            };
        }

        throw await LostAsync();
    }

    // "ERROR:  42P01: relation ...", in whatever language; the classes below 03 are notices.
    [GeneratedRegex(@"^\p{L}+:\s+((?!0[0-2])[0-9A-Z]{5}): (.*)$")]
    private static partial Regex ErrorLine();

    private async Task<PgBackupException> LostAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5), clock);
        try
        {
            await psql.WaitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            psql.Kill();
        }

        string reason = Quotation.Joined(psql.Errors.Where(static line => line.Length > 0), 6);
        bool missing =
            reason.Contains("database \"", StringComparison.Ordinal) && reason.Contains("does not exist", StringComparison.Ordinal);
        return new PgBackupException(
            missing ? ErrorCode.DatabaseMissing : ErrorCode.Connection,
            $"no connection to {where}:\n  {(reason.Length == 0 ? "psql ended without a word." : reason)}",
            ConnectionAdvice.For(reason)
        );
    }
}

/// <summary>What the server said to one statement.</summary>
public sealed record PsqlReply
{
    /// <summary>The statement was carried out.</summary>
    public required bool Succeeded { get; init; }

    /// <summary>The five characters of the error (PostgreSQL manual, appendix A), or 00000.</summary>
    public required string SqlState { get; init; }

    /// <summary>The error's primary message.</summary>
    public required string Message { get; init; }

    /// <summary>The lines of the result.</summary>
    public required IReadOnlyList<string> Lines { get; init; }
}
