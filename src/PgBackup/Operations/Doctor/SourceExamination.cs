using PgBackup.Configuration;
using PgBackup.Operations.Source;
using PgBackup.Postgres;

namespace PgBackup.Operations.Doctor;

/// <summary>The server and its databases, as a run would find them: tools, connection, settings, and what the role may read.</summary>
internal sealed class SourceExamination(BackupConfig config, TimeProvider clock)
{
    private const string ApplicationName = "olympus-pgbackup doctor";

    // A sleeping compute is up by then. A run may wait longer.
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(15);

    private readonly SourceConfig source = config.Source;

    /// <summary>What it is called in findings.</summary>
    public string Subject => source.Container ?? source.Connection.ToString();

    /// <summary>The version of the server, once it is known.</summary>
    public ServerFacts? Facts { get; private set; }

    /// <summary>Where the server of the source keeps its data, if it says so; on whatever host.</summary>
    public string? DataFolder { get; private set; }

    /// <summary>Looks at all of it.</summary>
    /// <exception cref="PgBackupException">There are no tools that fit, or the container cannot be used.</exception>
    public async Task RunAsync(Sheet sheet, CancellationToken cancel)
    {
        if (source.Engine is null)
        {
            sheet.Add($"TLS of the connection to {Subject}", WeakTls());
        }

        sheet.Doing = "looking for the tools (an image may have to be pulled first)";
        (FoundTools found, PostgresServer server) = await SourceServer.OpenAsync(source, config.Databases, ApplicationName, clock, cancel);
        await using FoundTools tools = found;
        sheet.Add($"tools: pg_dump {tools.Tools.Version} {tools.Tools.Host.Place}");
        sheet.Doing = $"connecting to {server.Description}";
        OpenedDatabase[] opened = await Task.WhenAll(config.Databases.Select(d => OpenAsync(d, server, cancel)));
        try
        {
            await ExamineAsync(opened, server, sheet, cancel);
        }
        finally
        {
            await Task.WhenAll(opened.Select(static o => o.Session?.DisposeAsync().AsTask() ?? Task.CompletedTask));
        }
    }

    private async Task ExamineAsync(OpenedDatabase[] opened, PostgresServer server, Sheet sheet, CancellationToken cancel)
    {
        Facts = (
            opened.FirstOrDefault(o => o.Facts is not null && o.Server == server) ?? opened.FirstOrDefault(o => o.Facts is not null)
        )?.Facts;
        foreach (OpenedDatabase failed in opened.Where(static o => o.Error is not null))
        {
            sheet.Add(failed.Name, Refused(failed));
        }

        OpenedDatabase[] reached = [.. opened.Where(static o => o.Session is not null)];
        foreach (IGrouping<string, OpenedDatabase> one in reached.GroupBy(static o => o.Server.Description))
        {
            sheet.Doing = $"asking {one.Key} for its settings";
            bool isOfSource = one.First().Server == server;
            var there = new ServerExamination([.. one], isOfSource ? [.. config.Databases.Select(static d => d.Name)] : null, clock);
            await there.RunAsync(sheet, cancel);
            DataFolder ??= isOfSource ? there.DataFolder : null;
        }

        sheet.Doing = "asking what the role may read";
        (string What, IReadOnlyList<Finding> Findings)[] privileges = await Task.WhenAll(
            reached.Select(o => PrivilegesExamination.RunAsync(o.Name, o.Session!, o.Facts!, cancel))
        );
        foreach ((string what, IReadOnlyList<Finding> findings) in privileges)
        {
            sheet.Add(what, findings);
        }

        OpenedDatabase[] here = [.. reached.Where(o => o.Server == server)];
        if (here.Length > 0)
        {
            sheet.Doing = $"counting the connections of {server.Description}";
            await CountConnectionsAsync(here, server, sheet, cancel);
        }
    }

    private async Task<OpenedDatabase> OpenAsync(DatabaseConfig database, PostgresServer ofSource, CancellationToken cancel)
    {
        PostgresServer server = ofSource;
        PsqlSession? session = null;
        try
        {
            server = SourceServer.Of(database, ofSource, ApplicationName, clock);
            TimeSpan patience = source.ConnectRetry < LongestWait ? source.ConnectRetry : LongestWait;
            session = await server.ConnectAsync(database.Name, patience, cancel);
            ServerFacts facts = await PostgresServer.ReadFactsAsync(session, cancel);
            ToolFinder.RequireFit(server.Tools, facts, server.Description);
            return new OpenedDatabase(database.Name, server) { Session = session, Facts = facts };
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            if (session is not null)
            {
                await session.DisposeAsync();
            }

            return new OpenedDatabase(database.Name, server) { Error = e };
        }
    }

    // What a whole run needs: a session for each database, the dumps, and one for the roles.
    private async Task CountConnectionsAsync(OpenedDatabase[] here, PostgresServer server, Sheet sheet, CancellationToken cancel)
    {
        int wanted = Math.Min(config.Dump.Jobs, here.Length);
        try
        {
            int free = await Connections.DumpsAsync(here.Length, wanted, server, here[0].Session!, cancel);
            sheet.Add(
                $"connections: enough for {Words.Count(free, "dump")} at a time",
                free >= wanted
                    ? []
                    :
                    [
                        Finding.Note(
                            ErrorCode.Connection,
                            server.Description,
                            $"a run dumps {free} at a time, and not {wanted} (dump.jobs)",
                            "the server has no more connections left for this role"
                        ),
                    ]
            );
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            sheet.Add("connections", Finding.Of(Severity.Error, server.Description, e));
        }
    }

    // The config refuses weak TLS, unless it says that it is accepted.
    private Finding[] WeakTls() =>
        [
            .. config
                .Databases.Select(static d => d.Connection)
                .OfType<PgConnection>()
                .Concat(source.Engine is null ? [source.Connection] : Array.Empty<PgConnection>())
                .Where(static c => ConnectionPolicy.WeakTls(c) is not null)
                .DistinctBy(static c => c.ToString())
                .Select(static c =>
                    Finding.Warning(
                        ErrorCode.ConnectionRefusedByPolicy,
                        c.ToString(),
                        ConnectionPolicy.WeakTls(c)!,
                        null,
                        "Whoever is on the way can answer in the server's place, and read the password and every row. Write "
                            + "?sslmode=verify-full&sslrootcert=system into the URL, and remove accept_weak_tls"
                    )
                ),
        ];

    // With the statement itself, where the server's words say which right is missing.
    private static Finding Refused(OpenedDatabase database)
    {
        PgBackupException error = database.Error!;
        Finding finding = Finding.Of(Severity.Error, database.Name, error);
        string role = Identifier.Quoted(database.Server.Connection.User ?? Environment.UserName);
        return error.Message.Contains("permission denied for database", StringComparison.Ordinal)
            ? finding with
            {
                Fix = $"As its owner or a superuser: GRANT CONNECT ON DATABASE {Identifier.Quoted(database.Name)} TO {role};",
            }
            : finding;
    }
}

/// <summary>One database of the config, with a session in it or the reason why there is none.</summary>
internal sealed record OpenedDatabase(string Name, PostgresServer Server)
{
    /// <summary>The session.</summary>
    public PsqlSession? Session { get; init; }

    /// <summary>Server and role of the session.</summary>
    public ServerFacts? Facts { get; init; }

    /// <summary>Why there is no session.</summary>
    public PgBackupException? Error { get; init; }
}
