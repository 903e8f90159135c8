using System.Globalization;
using System.Text.Json;
using PgBackup.Applications;
using PgBackup.Configuration;
using PgBackup.Postgres;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Drill;

/// <summary>
/// Questions to the restored databases: those that an identity platform should be able to answer (<see cref="OlympusPack"/>), and the
/// operator's own from the config.
/// </summary>
internal sealed class DrillQuestions(PostgresServer server, Manifest manifest, DrillConfig config)
{
    private const int LongestAnswer = 200;

    /// <summary>What an earlier snapshot had, about which is asked too.</summary>
    public DrillLosses Losses { get; init; } = DrillLosses.None;

    /// <summary>
    /// Asks everything that applies, several databases at the same time. A question that gets no answer, not in time, or whose session
    /// ends, is a check that failed.
    /// </summary>
    /// <param name="names">The restored databases: original name, and the name at the target.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<IReadOnlyList<DrillQuestion>> RunAsync(
        IReadOnlyList<(string Original, string Restored)> names,
        CancellationToken cancel
    )
    {
        IReadOnlyList<DrillQuestion>[] asked = await Task.WhenAll(names.Select(n => AskAllAsync(n.Original, n.Restored, cancel)));
        IEnumerable<DrillQuestion> lost = config
            .Checks.Where(c => names.All(n => n.Original != c.Database))
            .Select(static c => new DrillQuestion
            {
                Database = c.Database,
                Name = c.Name,
                Expected = c.Expect.Text,
                Passed = false,
                Problem = "the database was not restored",
            });
        return [.. asked.SelectMany(static a => a), .. lost];
    }

    private async Task<IReadOnlyList<DrillQuestion>> AskAllAsync(string original, string restored, CancellationToken cancel)
    {
        List<DrillQuestion> results = [];
        if (config.BuiltinChecks)
        {
            try
            {
                await AskPackAsync(original, restored, results, cancel);
            }
            catch (PgBackupException e) when (!cancel.IsCancellationRequested)
            {
                results.Add(
                    new DrillQuestion
                    {
                        Database = original,
                        Name = "the database can be asked",
                        Expected = "rows",
                        Passed = false,
                        Problem = e.Message,
                    }
                );
            }
        }

        foreach (DrillCheckConfig check in config.Checks.Where(c => c.Database == original))
        {
            results.Add(await AskOwnAsync(check, restored, cancel));
        }

        return results;
    }

    private async Task AskPackAsync(string original, string restored, List<DrillQuestion> results, CancellationToken cancel)
    {
        await using PsqlSession session = await server.ConnectAsync(restored, TimeSpan.FromSeconds(30), cancel);
        await session.ExecuteAsync("SET TIME ZONE 'UTC'", cancel);
        await LimitAsync(session, config.CheckTimeout, cancel);
        HashSet<string> columns = await ColumnsAsync(session, cancel);
        results.AddRange(Lost(columns, original));
        IReadOnlyList<PackQuestion> checks = OlympusPack.For(columns, manifest, original);
        foreach (PackQuestion check in checks.Where(c => !config.SkipChecks.Contains(c.Name)))
        {
            results.Add(await AskAsync(session, original, check.Name, check.Sql, check.Expectation, config.CheckTimeout, cancel));
        }

        if (checks.Count > 0 && !config.SkipChecks.Contains(OlympusPack.ForeignKeys))
        {
            results.Add(await AskForeignKeysAsync(session, original, cancel));
        }
    }

    // A table that has vanished takes its questions with it: they are answered without being asked.
    private IEnumerable<DrillQuestion> Lost(HashSet<string> columns, string database) =>
        OlympusPack
            .Lost(columns, Losses.Had(database))
            .Where(l => !config.SkipChecks.Contains(l.Question.Name))
            .Select(l => new DrillQuestion
            {
                Database = database,
                Name = l.Question.Name,
                Expected = l.Question.Expectation?.Text,
                Passed = false,
                Problem =
                    $"{string.Join(", ", l.Missing.Select(static t => $"public.{t}"))} {(l.Missing.Count == 1 ? "is" : "are")} not there, "
                    + $"and the proven snapshot {Losses.Proven} has {(l.Missing.Count == 1 ? "it" : "them")}",
            });

    /// <summary>The tables of the schema public, and their columns as <c>table.column</c>.</summary>
    internal static async Task<HashSet<string>> ColumnsAsync(PsqlSession session, CancellationToken cancel)
    {
        IReadOnlyList<JsonElement> rows = await session.QueryAsync(
            """
            SELECT c.relname AS tbl, coalesce(array_agg(a.attname) FILTER (WHERE a.attname IS NOT NULL), '{}') AS columns
            FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p') GROUP BY c.relname
            """,
            cancel
        );
        return
        [
            .. rows.SelectMany(static r =>
                r.GetProperty("columns")
                    .EnumerateArray()
                    .Select(c => $"{r.GetProperty("tbl").GetString()}.{c.GetString()}")
                    .Prepend(r.GetProperty("tbl").GetString()!)
            ),
        ];
    }

    /// <summary>Ends every later query of a session that takes longer.</summary>
    internal static Task LimitAsync(PsqlSession session, TimeSpan timeout, CancellationToken cancel) =>
        session.ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"SET statement_timeout = {timeout.TotalMilliseconds:0}"), cancel);

    private async Task<DrillQuestion> AskForeignKeysAsync(PsqlSession session, string database, CancellationToken cancel)
    {
        List<string> broken = [];
        string? problem = null;
        try
        {
            foreach (JsonElement key in await session.QueryAsync(OlympusPack.UncheckedForeignKeys, cancel))
            {
                long orphans = await session.QueryFirstAsync(key.GetProperty("query").GetString()!, cancel) is { } row
                    ? row.GetProperty("n").GetInt64()
                    : 0;
                if (orphans > 0)
                {
                    broken.Add(string.Create(CultureInfo.InvariantCulture, $"{key.GetProperty("name").GetString()} ({orphans} rows)"));
                }
            }
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.SqlFailed)
        {
            problem = Explain(e, config.CheckTimeout);
        }

        return new DrillQuestion
        {
            Database = database,
            Name = OlympusPack.ForeignKeys,
            Expected = "0",
            Answer = problem is null ? broken.Count.ToString(CultureInfo.InvariantCulture) : null,
            Passed = problem is null && broken.Count == 0,
            Problem = problem ?? (broken.Count > 0 ? string.Join("; ", broken.Take(5)) : null),
        };
    }

    // A session for each: what one question sets, or breaks, is nothing to the next.
    private async Task<DrillQuestion> AskOwnAsync(DrillCheckConfig check, string restored, CancellationToken cancel)
    {
        try
        {
            await using PsqlSession session = await server.ConnectAsync(restored, TimeSpan.FromSeconds(30), cancel);
            await session.ExecuteAsync("SET TIME ZONE 'UTC'", cancel);
            await session.ExecuteAsync("SELECT set_config('search_path', '\"$user\", public', false)", cancel);
            await LimitAsync(session, check.Timeout, cancel);
            return await AskAsync(session, check.Database, check.Name, check.Sql, check.Expect, check.Timeout, cancel);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            return new DrillQuestion
            {
                Database = check.Database,
                Name = check.Name,
                Expected = check.Expect.Text,
                Passed = false,
                Problem = e.Message,
            };
        }
    }

    private static async Task<DrillQuestion> AskAsync(
        PsqlSession session,
        string database,
        string name,
        string sql,
        Expectation? expect,
        TimeSpan timeout,
        CancellationToken cancel
    )
    {
        try
        {
            JsonElement? row = await session.QueryFirstAsync(sql.TrimEnd().TrimEnd(';'), cancel);
            string? answer = row is { } first ? Text(first.EnumerateObject().FirstOrDefault().Value) : null;
            return new DrillQuestion
            {
                Database = database,
                Name = name,
                Expected = expect?.Text,
                Answer = answer is null ? null : Shown(answer),
                Passed = expect?.IsMetBy(answer, row is null ? 0 : 1) ?? true,
            };
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.SqlFailed)
        {
            return new DrillQuestion
            {
                Database = database,
                Name = name,
                Expected = expect?.Text,
                Answer = null,
                Passed = expect is null,
                Problem = Explain(e, timeout),
            };
        }
    }

    /// <summary>Why a query failed; names the time limit if that was the reason (SQLSTATE 57014).</summary>
    internal static string Explain(PgBackupException e, TimeSpan timeout) =>
        e.Message.Contains("(SQLSTATE 57014)", StringComparison.Ordinal)
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"no answer within {timeout.TotalSeconds:0.#} s (drill.check_timeout, or the check's own timeout): {e.Message}"
            )
            : e.Message;

    /// <summary>An answer for reports and terminals: no control characters, and no more than a line can hold.</summary>
    internal static string Shown(string answer)
    {
        string cut =
            answer.Length <= LongestAnswer
                ? answer
                : string.Create(CultureInfo.InvariantCulture, $"{answer.AsSpan(0, LongestAnswer)}... ({answer.Length} characters)");
        return string.Concat(cut.Select(static c => char.IsControl(c) ? '\uFFFD' : c));
    }

    private static string? Text(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Null or JsonValueKind.Undefined => null,
            JsonValueKind.String => value.GetString(),
            JsonValueKind.True => "t",
            JsonValueKind.False => "f",
            _ => value.GetRawText(),
        };
}
