using PgBackup.Retention;
using PgBackup.Snapshots;
using static PgBackup.Tests.Losses.LossNights;

namespace PgBackup.Tests.Losses;

/// <summary>
/// Ninety nights of a working Kratos and Hydra, under the default rules of retention: people sign up and go, janitors clean, a campaign fills
/// the mail queue, a migration is announced, a table that nobody classified dips every week. None of that is ever red; and what a test
/// plants is red the same night, and every night until somebody confirms it.
/// </summary>
public sealed class NinetyNightsTests
{
    private const string Ciam = "ciam_kratos";
    private const string Hydra = "ciam_hydra";
    private const string Olympus = "olympus";
    private const int Length = 90;
    private const int Campaign = 40;
    private const int Migration = 33;

    public static TheoryData<int> Seeds => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_quiet_quarter_has_no_red_night(int seed)
    {
        var world = new World(seed);
        for (int night = 0; night < Length; night++)
        {
            Red(world.Live(night)).ShouldBeEmpty($"night {night}");
        }
    }

    public static TheoryData<string, int> Planted =>
        [
            .. from loss in (string[])["dropped", "halved", "column", "emptied", "database", "slow", "renamed", "unclassified", "ephemeral"]
            from seed in (int[])[11, 12, 13, 14]
            select (loss, seed),
        ];

    [Theory]
    [MemberData(nameof(Planted))]
    public void What_is_planted_is_red_the_same_night_and_every_night_until_it_is_confirmed(string loss, int seed)
    {
        var random = new Random(seed * 1000);
        int planted = random.Next(9, 50);
        // What dwindles by a tenth a day is half after a week.
        int due = planted + (loss == "slow" ? 7 : 0);
        int confirmed = due + random.Next(1, 28);
        var world = new World(seed);
        string subject = "";
        for (int night = 0; night < Length; night++)
        {
            subject = night == planted ? world.Plant(loss) : subject;
            Manifest manifest = world.Live(night);
            if (night < planted || night > confirmed)
            {
                Red(manifest).ShouldBeEmpty($"night {night}, confirmed at {confirmed}");
            }
            else if (night >= due)
            {
                Red(manifest).ShouldBe([subject], $"night {night}, planted at {planted}");
            }

            if (night == confirmed)
            {
                world.Confirm(manifest);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void A_second_loss_after_the_confirmation_of_the_first_is_red_again(int seed)
    {
        var world = new World(seed);
        for (int night = 0; night < Length; night++)
        {
            string? subject = night is 20 or 50 ? world.Plant("halved") : null;
            Manifest manifest = world.Live(night);
            Red(manifest).ShouldBe(subject is null ? [] : [subject], $"night {night}");
            if (subject is not null)
            {
                world.Confirm(manifest);
            }
        }
    }

    // What happens to the clusters from night to night.
    private sealed class World
    {
        private readonly Random random;
        private readonly LossNights nights = new();
        private string? dwindling;

        public World(int seed)
        {
            random = new Random(seed);
            Put(Ciam, "identities", 40 + random.Next(5000), "id", "traits", "state", "schema_id");
            Put(Ciam, "identity_credentials", 0, "id", "identity_id", "config");
            Put(Ciam, "identity_credential_identifiers", 0, "id", "identifier");
            Put(Ciam, "identity_credential_types", 7, "id", "name");
            Put(Ciam, "identity_verifiable_addresses", 0, "id", "value");
            Put(Ciam, "identity_recovery_addresses", 0, "id", "value");
            Put(Ciam, "networks", 1, "id");
            Put(Ciam, "schema_migration", 240, "version");
            foreach (
                string table in (string[])
                    [
                        "sessions",
                        "session_devices",
                        "selfservice_login_flows",
                        "selfservice_registration_flows",
                        "selfservice_errors",
                        "identity_recovery_codes",
                        "identity_verification_tokens",
                        "courier_messages",
                        "courier_message_dispatches",
                        "continuity_containers",
                    ]
            )
            {
                Put(Ciam, table, random.Next(3000), "id", "created_at");
            }

            Put(Hydra, "hydra_client", 3 + random.Next(20), "id", "client_secret");
            Put(Hydra, "hydra_jwk", 4, "pk", "keydata");
            Put(Hydra, "networks", 1, "id");
            Put(Hydra, "schema_migration", 90, "version");
            foreach (string table in (string[])["flow", "access", "refresh", "code", "oidc", "pkce", "jti_blacklist", "logout_request"])
            {
                Put(Hydra, $"hydra_oauth2_{table}", random.Next(3000), "signature", "requested_at");
            }

            Put(Olympus, "ciam_settings", 20, "key", "value");
            Put(Olympus, "iam_settings", 20, "key", "value");
            Put(Olympus, "exports", 400, "id", "body");
            Put(Olympus, "audit", 1000, "id", "what");
            Put(Olympus, "migrated_flags", 12, "id");
            Follow();
        }

        public Manifest Live(int night)
        {
            if (night > 0)
            {
                Day(night);
            }

            nights.Now = First.AddDays(night).AddSeconds(random.Next(60));
            // Some nights a part fails, and somebody takes a second one by day; neither is to alarm.
            bool fails = random.Next(15) == 0;
            if (fails)
            {
                nights.Take(complete: false);
                nights.Now = First.AddDays(night).AddHours(6);
            }

            Manifest manifest =
                night == Migration
                    ? nights.Take(complete: true, $"{Olympus}.public.migrated_flags", $"{Ciam}.public.identities.schema_id")
                    : nights.Take();
            nights.Prune(RetentionRules.Default);
            return manifest;
        }

        public void Confirm(Manifest manifest) => nights.Confirm(manifest);

        // Does the damage, and says what is to be red.
        public string Plant(string loss)
        {
            Dictionary<string, LossTable> kratos = nights.Databases[Ciam];
            Dictionary<string, LossTable> olympus = nights.Databases[Olympus];
            switch (loss)
            {
                case "dropped":
                    kratos.Remove("public.identity_recovery_addresses");
                    return $"table_gone {Ciam}.public.identity_recovery_addresses";
                case "ephemeral":
                    kratos.Remove("public.sessions");
                    return $"table_gone {Ciam}.public.sessions";
                case "halved":
                    olympus["public.iam_settings"] = Less(olympus["public.iam_settings"], 0.45);
                    return $"table_shrunk {Olympus}.public.iam_settings";
                case "column":
                    LossTable people = kratos["public.identities"];
                    kratos["public.identities"] = people with { Columns = [.. people.Columns.Where(static c => c != "traits")] };
                    return $"column_gone {Ciam}.public.identities.traits";
                case "emptied":
                    olympus["public.ciam_settings"] = Less(olympus["public.ciam_settings"], 0);
                    return $"table_emptied {Olympus}.public.ciam_settings";
                case "unclassified":
                    olympus["public.audit"] = Less(olympus["public.audit"], 0);
                    return $"table_emptied {Olympus}.public.audit";
                case "database":
                    nights.Databases.Remove(Hydra);
                    return $"database_gone {Hydra}";
                case "renamed":
                    nights.Databases[Hydra]["public.clients"] = nights.Databases[Hydra]["public.hydra_client"];
                    nights.Databases[Hydra].Remove("public.hydra_client");
                    return $"table_gone {Hydra}.public.hydra_client";
                default:
                    dwindling = "public.schema_migration";
                    return $"table_shrunk {Ciam}.{dwindling}";
            }
        }

        private static LossTable Less(LossTable table, double part) => table with { Rows = (long)(table.Rows * part) };

        private void Day(int night)
        {
            Change(Ciam, "identities", static (rows, r) => rows + r.Next(1 + (int)(rows / 50) + 3) - r.Next(1 + (int)(rows / 100) + 1));
            Follow();
            bool campaign = night == Campaign;
            foreach (string table in nights.Databases[Ciam].Keys.Where(IsEphemeral).ToList())
            {
                // A janitor, or a quiet day.
                Change(
                    Ciam,
                    table["public.".Length..],
                    (rows, r) =>
                        campaign ? 200_000
                        : r.Next(4) == 0 ? r.Next(3)
                        : rows + r.Next(500)
                );
            }

            if (night == Campaign + 1)
            {
                Change(Ciam, "courier_messages", static (_, _) => 0);
                Change(Ciam, "selfservice_login_flows", static (_, _) => 0);
            }

            if (nights.Databases.TryGetValue(Hydra, out Dictionary<string, LossTable>? hydra))
            {
                foreach (
                    string table in hydra.Keys.Where(static t => t.StartsWith("public.hydra_oauth2_", StringComparison.Ordinal)).ToList()
                )
                {
                    Change(Hydra, table["public.".Length..], static (rows, r) => r.Next(5) == 0 ? r.Next(10) : rows + r.Next(800));
                }
            }

            Change(Olympus, "audit", static (rows, r) => rows == 0 ? 0 : rows + r.Next(40));
            // Every Sunday a job archives two thirds of it.
            Change(Olympus, "exports", (_, r) => night % 7 == 6 ? 130 + r.Next(20) : 380 + r.Next(40));
            if (night == Migration)
            {
                nights.Databases[Olympus].Remove("public.migrated_flags");
                LossTable people = nights[Ciam, "public.identities"];
                nights[Ciam, "public.identities"] = people with { Columns = [.. people.Columns.Where(static c => c != "schema_id")] };
            }

            if (dwindling is { } table1)
            {
                long rows = nights[Ciam, table1].Rows;
                nights[Ciam, table1] = nights[Ciam, table1] with { Rows = rows > 100 ? (long)(rows * 0.9) : rows };
            }
        }

        private static bool IsEphemeral(string table) =>
            table.Contains("session", StringComparison.Ordinal)
            || table.Contains("selfservice", StringComparison.Ordinal)
            || table.Contains("codes", StringComparison.Ordinal)
            || table.Contains("tokens", StringComparison.Ordinal)
            || table.Contains("courier", StringComparison.Ordinal)
            || table.Contains("continuity", StringComparison.Ordinal);

        // What belongs to people comes and goes with them.
        private void Follow()
        {
            long people = nights[Ciam, "public.identities"].Rows;
            Change(Ciam, "identity_credentials", (_, _) => people * 2);
            Change(Ciam, "identity_credential_identifiers", (_, _) => people * 2);
            Change(Ciam, "identity_verifiable_addresses", (_, _) => people);
            Change(Ciam, "identity_recovery_addresses", (_, _) => people);
        }

        private void Put(string database, string table, long rows, params string[] columns) =>
            nights[database, $"public.{table}"] = new LossTable(rows, columns);

        private void Change(string database, string table, Func<long, Random, long> to)
        {
            Dictionary<string, LossTable> tables = nights.Databases[database];
            if (tables.TryGetValue($"public.{table}", out LossTable? before))
            {
                tables[$"public.{table}"] = before with { Rows = Math.Max(0, to(before.Rows, random)) };
            }
        }
    }
}
