using PgBackup.Applications;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Restore;
using PgBackup.Tests;

namespace PgBackup.IntegrationTests.Drill;

/// <summary>The keys of the applications, and the limits of questions, in rehearsed restores.</summary>
[Collection("drill")]
public sealed class DrillKeysTests(DrillSnapshots snapshots)
{
    [Fact]
    public async Task A_drill_decrypts_what_each_service_stored_and_names_what_it_has_no_key_for()
    {
        using Rehearsal own = await snapshots.RehearseAsync(
            """
            skip_checks: ["there are signing keys"]
            application_keys:
              - { service: hydra, database: ciam_hydra, secret_file: SECRETS/hydra }
              - { service: kratos, database: ciam_kratos, secret_file: SECRETS/kratos }
              - { service: settings, database: olympus, table: ciam_settings, secret_file: SECRETS/settings }
              - { service: settings, database: olympus, table: numbered_settings, secret_file: SECRETS/settings }
            """
        );
        Write(own, "hydra", EncryptedValues.HydraSecret, EncryptedValues.OldHydraSecret);
        Write(own, "kratos", EncryptedValues.KratosSecret);
        Write(own, "settings", EncryptedValues.SettingsSecret);

        (Outcome outcome, DrillReport report) = await own.DrillAsync(0);

        Verdicts(report)
            .ShouldBe(
                [
                    "hydra hydra_jwk decrypts",
                    "kratos identity_credentials decrypts",
                    "settings ciam_settings decrypts",
                    "settings numbered_settings decrypts",
                    "settings iam_settings not tested",
                ],
                ignoreOrder: true
            );
        report
            .ApplicationKeys.Single(static k => k.Service == "hydra")
            .Detail.ShouldBe("4 were tried, the newest and the oldest: 3 with secret 1, 1 with secret 2");
        report
            .ApplicationKeys.Single(static k => k.Table == "ciam_settings")
            .Detail.ShouldBe("40 were tried, the newest and the oldest: 40 with secret 1");
        report.ApplicationKeys.Single(static k => k.Table == "iam_settings").Values.ShouldBe(120);
        report.Questions.ShouldContain(static c => c.Name == "there are OAuth2 clients");
        report.Questions.ShouldNotContain(static c => c.Name == "there are signing keys");
        report
            .Questions.Where(static c => c.Name.StartsWith("migrations", StringComparison.Ordinal))
            .Select(static c => $"{c.Database} {c.Answer} {c.Expected} {c.Passed}")
            .ShouldBe(["ciam_kratos 240 240 True", "ciam_hydra 180 180 True"], ignoreOrder: true);
        report.Questions.Count(static c => c.Name == OlympusPack.ForeignKeys && c.Passed && c.Answer == "0").ShouldBe(3);
        report
            .Questions.Count(static c =>
                c.Name.StartsWith("newest row", StringComparison.Ordinal)
                && decimal.Parse(c.Answer!, System.Globalization.CultureInfo.InvariantCulture) > 0
            )
            .ShouldBe(3);
        outcome.Output.ShouldContain(
            "Not tested: whether the applications' own keys decrypt what they stored encrypted in olympus (iam_settings)."
        );
        own.Stores.ShouldAllBe(s => own.IsProven(s));
        NothingSecret(own, outcome);
    }

    [Fact]
    public async Task A_key_that_is_wrong_or_missing_fails_the_drill_and_a_question_without_an_answer_in_time_too()
    {
        using Rehearsal own = await snapshots.RehearseAsync(
            """
            builtin_checks: false
            checks:
              - { database: olympus, name: slow, sql: "SELECT 1 FROM pg_sleep(100)", expect: "1", timeout: 1s }
              - { database: olympus, name: lost, sql: "SELECT 1 FROM nowhere", expect: "1" }
              - { database: olympus, name: open, sql: "SELECT 'x", expect: "x" }
              - { database: olympus, name: late, sql: "SELECT 1 / (1000 - g) FROM generate_series(1, 1000) g", expect: rows }
              - { database: olympus, name: first, sql: "SELECT 'x' AS q, g FROM generate_series(1, 1000) g", expect: x }
            application_keys:
              - { service: hydra, database: ciam_hydra, secret_file: SECRETS/hydra }
              - { service: kratos, database: ciam_kratos, secret_file: SECRETS/nowhere }
              - { service: settings, database: olympus, table: ciam_settings, secret_file: SECRETS/settings }
              - { service: settings, database: olympus, table: other_settings, secret_file: SECRETS/settings }
              - { service: hydra, database: iam_hydra, secret_file: SECRETS/hydra }
            """
        );
        Write(own, "hydra", EncryptedValues.HydraSecret);
        Write(own, "settings", EncryptedValues.HydraSecret, EncryptedValues.KratosSecret);

        (Outcome outcome, DrillReport report) = await own.DrillAsync(1);

        outcome.Errors.ShouldContain("PGB-0081");
        Verdicts(report)
            .ShouldBe(
                [
                    "hydra hydra_jwk WRONG KEY",
                    "kratos identity_credentials FAILED",
                    "settings ciam_settings WRONG KEY",
                    "settings other_settings FAILED",
                    "settings iam_settings not tested",
                    "hydra hydra_jwk FAILED",
                ],
                ignoreOrder: true
            );
        report
            .Failures.Texts()
            .Single(static f => f.StartsWith("ciam_hydra: ", StringComparison.Ordinal))
            .ShouldMatch(
                "^ciam_hydra: the application key of hydra \\(hydra_jwk\\) failed its test: 1 of 4 that were tried do not decrypt with the secret of "
                    + "the secret_file \\(hydra\\.[a-z.-]+/[0-9a-f-]{36}\\)"
            );
        report
            .Failures.Texts()
            .ShouldContain(static f =>
                f.Contains("40 of 40 that were tried do not decrypt with any of the 2 secrets of the secret_file (secret.0")
            );
        report.Failures.Texts().ShouldContain(static f => f.Contains("nowhere cannot be read: "));
        report.Failures.Texts().ShouldContain(static f => f.Contains("there is no table public.other_settings with such values"));
        report.Failures.Texts().ShouldContain(static f => f.StartsWith("iam_hydra: ") && f.EndsWith("the database was not restored"));
        report
            .Failures.Texts()
            .ShouldContain(static f =>
                f.StartsWith("olympus: wrong answer to \"slow\": no answer within 1 s (drill.check_timeout, or the check's own timeout)")
            );
        report
            .Failures.Texts()
            .ShouldContain(static f =>
                f.StartsWith("olympus: wrong answer to \"lost\": ")
                && f.Contains("relation \"nowhere\" does not exist (SQLSTATE 42P01) in: SELECT 1 FROM nowhere")
            );
        report
            .Failures.Texts()
            .ShouldContain(static f =>
                f.StartsWith("olympus: wrong answer to \"open\": ")
                && f.Contains("unterminated quoted string at or near")
                && f.Contains("(SQLSTATE 42601)")
            );
        report
            .Failures.Texts()
            .ShouldContain(static f =>
                f.StartsWith("olympus: wrong answer to \"late\": ") && f.Contains("division by zero (SQLSTATE 22012)")
            );
        report.Failures.Count.ShouldBe(9);
        report.Questions.Count.ShouldBe(5);
        report.Questions.Single(static c => c.Passed).Name.ShouldBe("first");
        report.Databases.ShouldAllBe(static d => d.Verdict == RestoreVerdict.Equal);
        own.Text().ShouldContain("| **WRONG KEY** |");
        own.Stores.ShouldAllBe(s => !own.IsProven(s));
        NothingSecret(own, outcome);
    }

    [Fact]
    public async Task A_built_in_question_that_does_not_exist_cannot_be_skipped_and_is_told_before_anything_is_started()
    {
        using Rehearsal own = await snapshots.RehearseAsync("skip_checks: [no such thing]");

        Outcome outcome = await own.Workspace.RunAsync(2, "drill");

        outcome.Errors.ShouldContain("PGB-0011");
        outcome.Errors.ShouldContain("there is no built-in check \"no such thing\"");
        own.ReportCount.ShouldBe(0);
    }

    // SECRETS in the config stands for a folder, which this fills.
    private static void Write(Rehearsal own, string name, params string[] secrets)
    {
        string folder = Path.Combine(own.Workspace.Folder, "secrets");
        Directory.CreateDirectory(folder);
        File.WriteAllLines(Path.Combine(folder, name), secrets);
        own.Workspace.Configure(own.Workspace.Config().Replace("SECRETS", folder, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Verdicts(DrillReport report) =>
        report.ApplicationKeys.Select(static k => $"{k.Service} {k.Table} {k.Verdict.Word()}");

    private static void NothingSecret(Rehearsal own, Outcome outcome)
    {
        string everything = outcome.All + own.Text() + System.Text.Encoding.UTF8.GetString(own.Report().ToJson());
        EncryptedValues.Secret.ShouldAllBe(s => !everything.Contains(s, StringComparison.Ordinal));
    }
}
