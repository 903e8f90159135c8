using System.Globalization;
using System.Text.Json;
using PgBackup.Applications;
using PgBackup.Configuration;
using PgBackup.Postgres;

namespace PgBackup.Operations.Drill;

/// <summary>
/// Proves that the applications' own keys decrypt what they stored encrypted: data without its key is lost all the same. Of each service's
/// values the newest and the oldest are tried, so that a secret from before a rotation is missed too. Neither a value nor a secret is in a
/// result, nor in a message.
/// </summary>
internal sealed class SecretTests
{
    private const int AtEachEnd = 20;

    private static readonly string[] SettingsTables = ["ciam_settings", "iam_settings"];

    private readonly DrillConfig config;
    private readonly Dictionary<ApplicationKeyConfig, (IReadOnlyList<string> Secrets, string? Problem)> secrets;

    /// <summary>Reads the secrets. A file that cannot be read is a finding of the drill, and no reason not to hold it.</summary>
    public SecretTests(DrillConfig config)
    {
        this.config = config;
        secrets = config.ApplicationKeys.ToDictionary(
            static k => k,
            static k => string.IsNullOrEmpty(k.SecretFile) ? ([], null) : SecretFile.Read(k.SecretFile)
        );
    }

    /// <summary>What is wrong with the files, for a word before the long work.</summary>
    public IEnumerable<string> Problems => secrets.Values.Select(static s => s.Problem).OfType<string>();

    /// <summary>Tests what the config has keys for, and names what is there without one. What cannot be asked is a finding.</summary>
    /// <param name="server">Where the databases were restored.</param>
    /// <param name="names">The restored databases: original name, and the name at the target.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<IReadOnlyList<SecretTest>> TestAsync(
        PostgresServer server,
        IReadOnlyList<(string Original, string Restored)> names,
        CancellationToken cancel
    )
    {
        IReadOnlyList<SecretTest>[] tested = await Task.WhenAll(names.Select(n => TestAsync(server, n.Original, n.Restored, cancel)));
        return
        [
            .. tested.SelectMany(static t => t),
            .. config
                .ApplicationKeys.Where(k => names.All(n => n.Original != k.Database))
                .Select(static k => Failed(k, "the database was not restored")),
        ];
    }

    private async Task<IReadOnlyList<SecretTest>> TestAsync(
        PostgresServer server,
        string original,
        string restored,
        CancellationToken cancel
    )
    {
        ApplicationKeyConfig[] configured = [.. config.ApplicationKeys.Where(k => k.Database == original)];
        List<SecretTest> results = [];
        try
        {
            await using PsqlSession session = await server.ConnectAsync(restored, TimeSpan.FromSeconds(30), cancel);
            await DrillQuestions.LimitAsync(session, config.CheckTimeout, cancel);
            HashSet<string> columns = await DrillQuestions.ColumnsAsync(session, cancel);
            foreach (ApplicationKeyConfig key in configured)
            {
                results.Add(
                    columns.Contains(Values.Of(key).Needs)
                        ? await TestAsync(session, key, cancel)
                        : Failed(key, $"there is no table public.{Values.Of(key).Table} with such values")
                );
            }

            foreach (
                ApplicationKeyConfig key in Known(original)
                    .Where(k => columns.Contains(Values.Of(k).Needs) && !configured.Any(c => (c.Service, c.Table) == (k.Service, k.Table)))
            )
            {
                results.Add(await CountUntestedAsync(session, key, cancel));
            }
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            results.AddRange(
                configured
                    .Where(k => results.All(r => (r.Service, r.Table) != (k.Service, Values.Of(k).Table)))
                    .Select(k => Failed(k, e.Message))
            );
        }

        return results;
    }

    private static IEnumerable<ApplicationKeyConfig> Known(string database) =>
        [
            new ApplicationKeyConfig { Service = "hydra", Database = database },
            new ApplicationKeyConfig { Service = "kratos", Database = database },
            .. SettingsTables.Select(t => new ApplicationKeyConfig
            {
                Service = "settings",
                Database = database,
                Table = t,
            }),
        ];

    private async Task<SecretTest> TestAsync(PsqlSession session, ApplicationKeyConfig key, CancellationToken cancel)
    {
        try
        {
            return secrets[key].Problem is { } problem ? Failed(key, problem) : await TryValuesAsync(session, key, cancel);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.SqlFailed)
        {
            return Failed(key, DrillQuestions.Explain(e, config.CheckTimeout));
        }
    }

    private async Task<SecretTest> TryValuesAsync(PsqlSession session, ApplicationKeyConfig key, CancellationToken cancel)
    {
        long stored = await CountAsync(session, key, cancel);
        if (stored == 0)
        {
            return Nothing(key);
        }

        string all = Values.Of(key).Sql;
        IReadOnlyList<JsonElement> rows = await session.QueryAsync(
            $"(SELECT name, value FROM (\n{all}\n) n ORDER BY at DESC LIMIT {AtEachEnd}) UNION (SELECT name, value FROM (\n{all}\n) o "
                + $"ORDER BY at LIMIT {AtEachEnd})",
            cancel
        );
        IValueFormat format = key.Service switch
        {
            "hydra" => new HydraFormat(),
            "kratos" => new KratosFormat(key.Algorithm),
            _ => new SettingsFormat(),
        };
        return Judge(
            key,
            stored,
            [
                .. rows.Select(r =>
                    (r.GetProperty("name").GetString()!, format.Try(r.GetProperty("value").GetString()!, secrets[key].Secrets))
                ),
            ],
            secrets[key].Secrets.Count
        );
    }

    /// <summary>One verdict from those on the values.</summary>
    /// <param name="key">What was tested.</param>
    /// <param name="stored">How many values are stored.</param>
    /// <param name="tried">Those that were tried, by the names of their rows.</param>
    /// <param name="secrets">How many secrets there are.</param>
    internal static SecretTest Judge(
        ApplicationKeyConfig key,
        long stored,
        IReadOnlyList<(string Name, ValueVerdict Verdict)> tried,
        int secrets
    )
    {
        int Count(ValueState state) => tried.Count(t => t.Verdict.State == state);
        string Some(ValueState state) =>
            string.Join(
                ", ",
                tried.Where(t => t.Verdict.State == state).Select(static t => t.Name).Distinct().Order(StringComparer.Ordinal).Take(3)
            ) + (Count(state) > 3 ? ", ..." : "");
        string? Why(ValueState state) => tried.FirstOrDefault(t => t.Verdict.State == state).Verdict?.Why;
        CultureInfo plain = CultureInfo.InvariantCulture;
        int wrong = Count(ValueState.WrongKey),
            malformed = Count(ValueState.Malformed),
            clear = Count(ValueState.Plain),
            untestable = Count(ValueState.NotTestable),
            right = Count(ValueState.Decrypts);
        List<string> words = [];
        if (wrong > 0)
        {
            string hint = key.Service == "kratos" ? "; or ciphers.algorithm in kratos.yml is not aes: then write it as algorithm" : "";
            words.Add(
                string.Create(
                    plain,
                    $"{wrong} of {tried.Count} that were tried do not decrypt with "
                        + $"{(secrets == 1 ? "the secret" : $"any of the {secrets} secrets")} of the secret_file "
                        + $"({Some(ValueState.WrongKey)}){hint}"
                )
            );
        }

        if (malformed > 0)
        {
            words.Add(
                string.Create(
                    plain,
                    $"{malformed} of {tried.Count} that were tried cannot be a value of {key.Service} ({Some(ValueState.Malformed)}): "
                        + $"the first {Why(ValueState.Malformed)}"
                )
            );
        }

        if (right > 0)
        {
            IEnumerable<string> by = tried
                .Where(static t => t.Verdict.Secret > 0)
                .GroupBy(static t => t.Verdict.Secret)
                .OrderBy(static g => g.Key)
                .Select(g => string.Create(plain, $"{g.Count()} with secret {g.Key}"));
            words.Add(string.Create(plain, $"{tried.Count} were tried, the newest and the oldest: {string.Join(", ", by)}"));
        }

        if (clear > 0)
        {
            words.Add(string.Create(plain, $"{clear} of {tried.Count} that were tried are stored in clear text"));
        }

        if (untestable > 0)
        {
            words.Add(
                string.Create(
                    plain,
                    $"{untestable} of {tried.Count} that were tried could not be tested: the first {Why(ValueState.NotTestable)}"
                )
            );
        }

        SecretVerdict verdict =
            wrong > 0 ? SecretVerdict.WrongKey
            : malformed > 0 ? SecretVerdict.Failed
            : right > 0 ? SecretVerdict.Decrypts
            : untestable > 0 ? SecretVerdict.NotTestable
            : SecretVerdict.NothingEncrypted;
        return Result(key, stored, verdict, string.Join("; ", words));
    }

    private static async Task<long> CountAsync(PsqlSession session, ApplicationKeyConfig key, CancellationToken cancel) =>
        (await session.QueryRowAsync($"SELECT count(*) AS n FROM (\n{Values.Of(key).Sql}\n) v", cancel)).GetProperty("n").GetInt64();

    // Nobody asked for it: that it could not even be counted is no reason to fail.
    private static async Task<SecretTest> CountUntestedAsync(PsqlSession session, ApplicationKeyConfig key, CancellationToken cancel)
    {
        const string Why = "drill.application_keys has no key for it";
        try
        {
            long stored = await CountAsync(session, key, cancel);
            return stored == 0 ? Nothing(key) : Result(key, stored, SecretVerdict.NotTested, Why);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.SqlFailed)
        {
            return Result(key, null, SecretVerdict.NotTested, Why);
        }
    }

    private static SecretTest Nothing(ApplicationKeyConfig key) =>
        Result(key, 0, SecretVerdict.NothingEncrypted, "no encrypted value is stored, so that there is nothing to test");

    private static SecretTest Failed(ApplicationKeyConfig key, string why) => Result(key, null, SecretVerdict.Failed, why);

    private static SecretTest Result(ApplicationKeyConfig key, long? stored, SecretVerdict verdict, string detail) =>
        new()
        {
            Service = key.Service,
            Database = key.Database,
            Table = Values.Of(key).Table,
            Values = stored,
            Verdict = verdict,
            Detail = detail,
        };

    // Where a service stores encrypted values: rows of a name that is no secret, the value, and its time.
    private sealed record Values(string Table, string Needs, string Sql)
    {
        public static Values Of(ApplicationKeyConfig key) =>
            key.Service switch
            {
                "hydra" => new Values(
                    "hydra_jwk",
                    "hydra_jwk.keydata",
                    "SELECT sid || '/' || kid AS name, keydata AS value, created_at AS at FROM public.hydra_jwk WHERE keydata <> ''"
                ),
                "kratos" => new Values(
                    "identity_credentials",
                    "identity_credentials.config",
                    """
                    SELECT c.id::text AS name, t.value, c.updated_at AS at
                    FROM public.identity_credentials c JOIN public.identity_credential_types k ON k.id = c.identity_credential_type_id,
                        jsonb_array_elements(CASE jsonb_typeof(c.config::jsonb -> 'providers')
                            WHEN 'array' THEN c.config::jsonb -> 'providers' ELSE '[]' END) p,
                        jsonb_each_text(CASE jsonb_typeof(p) WHEN 'object' THEN p ELSE '{}' END) t
                    WHERE k.name IN ('oidc', 'saml') AND t.key ~ '^(initial|current)_(id|access|refresh)_token$' AND t.value <> ''
                    """
                ),
                _ => new Values(
                    key.Table!,
                    $"{key.Table}.encrypted",
                    $"SELECT key::text AS name, value::text, updated_at AS at FROM public.{Postgres.Sql.Name(key.Table!)} WHERE "
                        + $"encrypted AND value <> ''"
                ),
            };
    }
}
