using System.Globalization;
using System.Text.Json;
using PgBackup.Configuration;
using PgBackup.Postgres;
using PgBackup.Snapshots;

namespace PgBackup.Operations;

/// <summary>
/// Questions to a restored database that an identity platform should be able to answer. Those of Ory Kratos, Ory Hydra and Olympus are
/// asked wherever their tables are found; the operator's own come from the config.
/// </summary>
internal sealed class DrillChecks(PostgresServer server, Manifest manifest, TimeProvider clock)
{
    // What must be so, and what is only worth knowing (a null expectation). The moment of the snapshot lies between {start} and {end}.
    // Tables of Kratos are asked only where all of them are: others have tables called identities, too.
    private static readonly PackCheck[] Pack =
    [
        new("identity_credentials", "there are identities", "SELECT count(*) FROM public.identities", "> 0"),
        new("identity_credentials", "there are credentials", "SELECT count(*) FROM public.identity_credentials", "> 0"),
        new("identity_credentials", "credentials per identity", "SELECT round((SELECT count(*) FROM public.identity_credentials)::numeric / nullif((SELECT count(*) FROM public.identities), 0), 2)", null),
        new("identity_credentials", "no credentials without an identity", "SELECT count(*) FROM public.identity_credentials c WHERE NOT EXISTS (SELECT FROM public.identities i WHERE i.id = c.identity_id)", "0"),
        new("identity_credential_identifiers", "no identifiers without credentials", "SELECT count(*) FROM public.identity_credential_identifiers n WHERE NOT EXISTS (SELECT FROM public.identity_credentials c WHERE c.id = n.identity_credential_id)", "0"),
        new("identity_credentials", "no identity from after the snapshot", "SELECT count(*) FROM public.identities WHERE created_at > {end}", "0"),
        new("identity_credentials", "newest identity, minutes before the snapshot", "SELECT greatest(0, round(extract(epoch FROM {start} - max(created_at)) / 60)) FROM public.identities", null),
        new("courier_messages", "mails that a restored courier would send again", "SELECT count(*) FROM public.courier_messages WHERE status IN (1, 3)", null),
        new("hydra_client", "there are OAuth2 clients", "SELECT count(*) FROM public.hydra_client", "> 0"),
        new("hydra_oauth2_refresh", "no refresh tokens without a client", "SELECT count(*) FROM public.hydra_oauth2_refresh t WHERE NOT EXISTS (SELECT FROM public.hydra_client c WHERE c.id = t.client_id)", "0"),
        new("hydra_jwk", "there are signing keys", "SELECT count(*) FROM public.hydra_jwk", "> 0"),
        new("ciam_settings", "there are customer settings", "SELECT count(*) FROM public.ciam_settings", "> 0"),
        new("iam_settings", "there are employee settings", "SELECT count(*) FROM public.iam_settings", "> 0"),
        new("schema_migration", "schema version", "SELECT max(version) FROM public.schema_migration", null),
    ];

    /// <summary>Asks everything that applies. A question that gets no answer, or a session that ends, is a check that failed.</summary>
    /// <param name="names">The restored databases: original name, and the name at the target.</param>
    /// <param name="own">The operator's checks.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<IReadOnlyList<DrillCheck>> RunAsync(IReadOnlyList<(string Original, string Restored)> names, IReadOnlyList<DrillCheckConfig> own, CancellationToken cancel)
    {
        List<DrillCheck> results = [];
        foreach ((string original, string restored) in names)
        {
            try
            {
                results.AddRange(await AskPackAsync(original, restored, cancel));
            }
            catch (PgBackupException e) when (!cancel.IsCancellationRequested)
            {
                results.Add(new DrillCheck { Database = original, Name = "the database can be asked", Expected = "rows", Passed = false, Problem = e.Message });
            }

            foreach (DrillCheckConfig check in own.Where(c => c.Database == original))
            {
                results.Add(await AskOwnAsync(check, restored, cancel));
            }
        }

        foreach (DrillCheckConfig lost in own.Where(c => names.All(n => n.Original != c.Database)))
        {
            results.Add(new DrillCheck { Database = lost.Database, Name = lost.Name, Expected = lost.Expect.Text, Answer = null, Passed = false, Problem = "the database was not restored" });
        }

        return results;
    }

    private async Task<List<DrillCheck>> AskPackAsync(string original, string restored, CancellationToken cancel)
    {
        await using PsqlSession session = await server.ConnectAsync(restored, TimeSpan.FromSeconds(30), clock, cancel);
        await session.ExecuteAsync("SET TIME ZONE 'UTC'", cancel);
        HashSet<string> tables = [.. (await session.QueryAsync("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", cancel)).Select(static r => r.GetProperty("tablename").GetString()!)];
        List<DrillCheck> results = [];
        foreach (PackCheck check in Pack.Where(c => tables.Contains(c.Table)))
        {
            // The clocks of the server and of the host that took the snapshot may differ somewhat.
            string sql = check.Sql.Replace("{start}", Time(manifest.Started), StringComparison.Ordinal).Replace("{end}", Time(manifest.Finished.AddMinutes(5)), StringComparison.Ordinal);
            Expectation? expect = check.Expect is null ? null : Expectation.TryParse(check.Expect);
            results.Add(await AskAsync(session, original, check.Name, sql, expect, cancel));
        }

        return results;
    }

    // A session for each: what one question sets, or breaks, is nothing to the next.
    private async Task<DrillCheck> AskOwnAsync(DrillCheckConfig check, string restored, CancellationToken cancel)
    {
        try
        {
            await using PsqlSession session = await server.ConnectAsync(restored, TimeSpan.FromSeconds(30), clock, cancel);
            await session.ExecuteAsync("SET TIME ZONE 'UTC'", cancel);
            await session.ExecuteAsync("SELECT set_config('search_path', '\"$user\", public', false)", cancel);
            return await AskAsync(session, check.Database, check.Name, check.Sql, check.Expect, cancel);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            return new DrillCheck { Database = check.Database, Name = check.Name, Expected = check.Expect.Text, Passed = false, Problem = e.Message };
        }
    }

    private static async Task<DrillCheck> AskAsync(PsqlSession session, string database, string name, string sql, Expectation? expect, CancellationToken cancel)
    {
        try
        {
            IReadOnlyList<JsonElement> rows = await session.QueryTextAsync(sql.TrimEnd().TrimEnd(';'), cancel);
            string? answer = rows.Count == 0 ? null : Text(rows[0].EnumerateObject().FirstOrDefault().Value);
            return new DrillCheck
            {
                Database = database,
                Name = name,
                Expected = expect?.Text,
                Answer = answer,
                Passed = expect?.IsMetBy(answer, rows.Count) ?? true,
            };
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.SqlFailed)
        {
            return new DrillCheck { Database = database, Name = name, Expected = expect?.Text, Answer = null, Passed = expect is null, Problem = e.Message };
        }
    }

    private static string Time(DateTimeOffset time) => $"timestamp '{time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture)}'";

    private static string? Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.Undefined => null,
        JsonValueKind.String => value.GetString(),
        JsonValueKind.True => "t",
        JsonValueKind.False => "f",
        _ => value.GetRawText(),
    };

    private sealed record PackCheck(string Table, string Name, string Sql, string? Expect);
}
