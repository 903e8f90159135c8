using System.Globalization;
using System.Text.Json;
using PgBackup.Postgres;

namespace PgBackup.Operations.Restore;

/// <summary>
/// The latest time in the rows of a database, to see whether it has something that a snapshot does not. It is a hint, not a proof:
/// a table without such a column shows nothing. Timestamp columns of ordinary tables count, unless they mean a future time:
/// by their name (<c>expires_at</c>, <c>valid_until</c>), or because one of their rows has a future time.
/// </summary>
internal sealed record NewestRow
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>The time, UTC; null when no row has one.</summary>
    public DateTimeOffset? At { get; init; }

    /// <summary>The column that has it, <c>public.sessions.issued_at</c>.</summary>
    public string? Column { get; init; }

    /// <summary>Why what was found need not be the newest; null when every such column was looked at, and there is at least one.</summary>
    public string? Untold { get; init; }

    /// <summary>Looks, small tables first, for five seconds at most; changes nothing. Times without a zone are taken as UTC.</summary>
    public static async Task<NewestRow> ReadAsync(PsqlSession inside, TimeProvider clock, CancellationToken cancel)
    {
        IReadOnlyList<JsonElement> tables = await inside.QueryAsync(
            """
            SELECT format('%I.%I', n.nspname, c.relname) AS name, json_agg(a.attname
              ORDER BY a.attnum) AS columns, json_agg(a.atttypid = 'timestamptz'::regtype ORDER BY a.attnum) AS zoned
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ('timestamp'::regtype, 'timestamptz'::regtype)
              AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
              AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.deptype = 'e')
              AND a.attname !~* '(expir|until|valid_|next_|schedul|due|deadline|_after|remind|retention)'
            GROUP BY c.oid, n.nspname, c.relname ORDER BY pg_relation_size(c.oid), 1
            """,
            cancel
        );
        var newest = new NewestRow { Untold = tables.Count == 0 ? "no table has a column that says when a row was written" : null };
        long start = clock.GetTimestamp();
        foreach (JsonElement table in tables)
        {
            string name = table.GetProperty("name").GetString()!;
            TimeSpan left = Patience - clock.GetElapsedTime(start);
            if (left < TimeSpan.FromMilliseconds(50))
            {
                return newest with
                {
                    Untold = string.Create(
                        CultureInfo.InvariantCulture,
                        $"{name} and other tables were not looked at within {Patience.TotalSeconds:0} s"
                    ),
                };
            }

            await inside.ExecuteAsync(
                string.Create(CultureInfo.InvariantCulture, $"SET statement_timeout = {(int)left.TotalMilliseconds}"),
                cancel
            );
            string[] columns = [.. table.GetProperty("columns").EnumerateArray().Select(static c => c.GetString()!)];
            bool[] zoned = [.. table.GetProperty("zoned").EnumerateArray().Select(static z => z.GetBoolean())];
            PsqlReply reply = await inside.TryGivenAsync(Question(name, columns, zoned), cancel);
            if (!reply.Succeeded)
            {
                newest = newest with { Untold = $"{name} could not be looked at: {reply.Message}" };
                continue;
            }

            foreach (string[] line in reply.Lines.Select(static l => l.Split('|', 2)))
            {
                if (
                    line.Length == 2
                    && double.TryParse(line[0], CultureInfo.InvariantCulture, out double seconds)
                    && DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1000)) is var at
                    && !(at <= newest.At)
                )
                {
                    newest = newest with { At = at, Column = $"{name}.{line[1]}" };
                }
            }
        }

        return newest;
    }

    // A line for each column that has no time to come: seconds since 1970, and its name.
    private static string Question(string table, string[] columns, bool[] zoned)
    {
        IEnumerable<string> times = columns.Select((c, i) => zoned[i] ? Sql.Name(c) : $"({Sql.Name(c)} AT TIME ZONE 'UTC')");
        string values = string.Join(", ", columns.Select(static (c, i) => $"({Sql.Literal(c)}, m{i}, f{i})"));
        string most = string.Join(
            ", ",
            times.Select(
                static (t, i) => $"max({t}) FILTER (WHERE isfinite({t})) AS m{i}, bool_or({t} > now() + interval '5 minutes') AS f{i}"
            )
        );
        return $"SELECT extract(epoch FROM v.at), v.name FROM (SELECT {most} FROM ONLY {table}) q, LATERAL (VALUES {values}) v(name, "
            + $"at, future) WHERE v.at > to_timestamp(0) AND NOT v.future";
    }
}
