using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Restore;

/// <summary>What a target has, asked before it is decided how to restore into it; nothing is changed.</summary>
public sealed record TargetSurvey
{
    /// <summary>The target, without secrets.</summary>
    public required string Target { get; init; }

    /// <summary>The server's version.</summary>
    public required string Version { get; init; }

    /// <summary>The role that would restore.</summary>
    public required string Role { get; init; }

    /// <summary>It is a superuser.</summary>
    public required bool IsSuperuser { get; init; }

    /// <summary>It may make databases and roles there.</summary>
    public bool MayMake { get; init; } = true;

    /// <summary>The server follows another one, and nothing can be made there.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>The databases that were asked for, each as it is there.</summary>
    public required IReadOnlyList<SurveyedDatabase> Databases { get; init; }

    /// <summary>Connects and looks.</summary>
    /// <exception cref="PgBackupException">The target cannot be reached, or the tools for it are missing.</exception>
    public static async Task<TargetSurvey> ReadAsync(
        RestoreTarget target,
        IReadOnlyList<string> databases,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        (FoundTools found, PostgresServer server) = await target.OpenAsync([], clock, cancel);
        await using FoundTools tools = found;
        await using PsqlSession session = await server.ConnectAsync(TimeSpan.FromSeconds(30), cancel);
        ServerFacts facts = await PostgresServer.ReadFactsAsync(session, cancel);
        JsonElement rights = await session.QueryRowAsync(
            """
            SELECT pg_is_in_recovery() AS standby, r.rolsuper OR (r.rolcreatedb AND r.rolcreaterole) AS makes FROM pg_roles r
            WHERE r.rolname = current_user
            """,
            cancel
        );
        bool isReadOnly = rights.GetProperty("standby").GetBoolean();
        List<SurveyedDatabase> surveyed = [];
        foreach (string name in databases)
        {
            TargetDatabase? there = await TargetDatabase.LookAsync(name, server, session, cancel);
            surveyed.Add(
                new SurveyedDatabase
                {
                    Name = name,
                    IsThere = there is not null,
                    Objects = there?.Objects,
                    Bytes = there?.Bytes,
                    Sessions = there?.Sessions ?? 0,
                }
            );
        }

        return new TargetSurvey
        {
            Target = server.Description,
            Version = facts.Version,
            Role = facts.Role,
            IsSuperuser = facts.IsSuperuser,
            MayMake = !isReadOnly && rights.GetProperty("makes").GetBoolean(),
            IsReadOnly = isReadOnly,
            Databases = surveyed,
        };
    }
}

/// <summary>One database, as it is at a target.</summary>
public sealed record SurveyedDatabase
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>There is one.</summary>
    public required bool IsThere { get; init; }

    /// <summary>How many objects it has; null when it is not there, or does not let us in.</summary>
    public long? Objects { get; init; }

    /// <summary>Its size; null when it does not exist, or is not known.</summary>
    public long? Bytes { get; init; }

    /// <summary>How many sessions are in it.</summary>
    public long Sessions { get; init; }

    /// <summary>It is not empty, or that is not known.</summary>
    public bool IsFilled => IsThere && Objects is not 0;
}
