using PgBackup.Applications;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;

namespace PgBackup.Tests.Applications;

public sealed class OlympusPackTests
{
    private static readonly Manifest Snapshot = ManifestSample.Of(ManifestSample.Id);

    [Fact]
    public void A_database_of_kratos_is_asked_for_people_credentials_orphans_mails_and_age() =>
        Names(
                "identities",
                "identities.created_at",
                "identity_credentials",
                "identity_credential_identifiers",
                "courier_messages",
                "courier_messages.status"
            )
            .ShouldBe([
                "there are identities",
                "there are credentials",
                "credentials per identity",
                "no credentials without an identity",
                "no identifiers without credentials",
                "mails that a restored courier would send again",
                "newest row, minutes before the snapshot",
                "no row from after the snapshot",
            ]);

    [Fact]
    public void A_database_of_hydra_is_asked_for_clients_keys_and_tokens() =>
        Names("hydra_client", "hydra_jwk", "hydra_oauth2_refresh", "schema_migration", "schema_migration.version")
            .ShouldBe(["there are OAuth2 clients", "no refresh tokens without a client", "there are signing keys", "schema version"]);

    [Fact]
    public void The_settings_are_asked_for_rows() =>
        Names("ciam_settings", "iam_settings", "ciam_settings.updated_at")
            .ShouldBe([
                "there are customer settings",
                "there are employee settings",
                "newest row, minutes before the snapshot",
                "no row from after the snapshot",
            ]);

    [Fact]
    public void Tables_of_the_same_name_in_others_databases_are_left_alone() =>
        Names(
                "identities",
                "identities.created_at",
                "sessions",
                "sessions.created_at",
                "courier_messages",
                "courier_messages.status",
                "schema_migration",
                "schema_migration.version"
            )
            .ShouldBeEmpty();

    [Fact]
    public void The_age_is_that_of_the_youngest_row_of_all_tables_that_tell_one()
    {
        IReadOnlyList<PackQuestion> checks = OlympusPack.For(
            Columns("identity_credentials", "identities", "identities.created_at", "sessions.created_at"),
            Snapshot,
            "ciam_kratos"
        );

        PackQuestion newest = checks.Single(static c => c.Name.StartsWith("newest row", StringComparison.Ordinal));
        newest.Sql.ShouldContain("FROM public.identities)");
        newest.Sql.ShouldContain("FROM public.sessions)");
        newest.Sql.ShouldContain("timestamp '2026-03-01 03:00:00.000000'");
        newest.Expectation.ShouldBeNull();
        PackQuestion future = checks.Single(static c => c.Name.StartsWith("no row from after", StringComparison.Ordinal));
        future.Sql.ShouldContain("created_at > timestamp '2026-03-01 03:05:03.500000'");
        future.Expect.ShouldBe("0");
    }

    [Fact]
    public void The_migrations_must_be_as_many_as_the_proof_of_the_snapshot_says()
    {
        Proof proof = ManifestSample.Proof(5);
        proof.Tables["public.schema_migration"] = new TableProof
        {
            Rows = 240,
            Bytes = 1,
            Digest = new string('0', 64),
        };
        Manifest manifest = Snapshot with
        {
            Parts = [.. Snapshot.Parts.Select(p => p.Database == "ciam_kratos" ? p with { Proof = proof } : p)],
        };
        HashSet<string> columns = Columns("identity_credentials", "identities", "schema_migration", "schema_migration.version");

        OlympusPack
            .For(columns, manifest, "ciam_kratos")
            .Single(static c => c.Name.StartsWith("migrations", StringComparison.Ordinal))
            .Expect.ShouldBe("240");
        OlympusPack
            .For(columns, manifest, "another")
            .ShouldNotContain(static c => c.Name.StartsWith("migrations", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_question_can_be_skipped_by_its_name_and_no_other()
    {
        OlympusPack.RequireNames(OlympusPack.Names);
        PgBackupException refused = Should.Throw<PgBackupException>(() =>
            OlympusPack.RequireNames(["there are identities", "there are unicorns"])
        );

        (refused.Code, refused.ExitCode).ShouldBe((ErrorCode.ConfigInvalid, 2));
        refused.Message.ShouldBe("drill.skip_checks: there is no built-in check \"there are unicorns\".");
        refused.Remedy.ShouldNotBeNull().ShouldContain("there are OAuth2 clients; ");
        OlympusPack.Names.ShouldBeUnique();
        Names([.. Everything])
            .Append(OlympusPack.ForeignKeys)
            .ShouldBe(OlympusPack.Names.Where(static n => !n.StartsWith("migrations", StringComparison.Ordinal)), ignoreOrder: true);
    }

    private static readonly string[] Everything =
    [
        "identities",
        "identities.created_at",
        "identity_credentials",
        "identity_credential_identifiers",
        "courier_messages",
        "courier_messages.status",
        "hydra_client",
        "hydra_jwk",
        "hydra_oauth2_refresh",
        "ciam_settings",
        "iam_settings",
        "schema_migration.version",
    ];

    [Fact]
    public void Questions_whose_tables_have_vanished_are_known_by_what_an_earlier_snapshot_had()
    {
        HashSet<string> earlier = Columns("identities", "identity_credentials", "identity_credential_identifiers", "sessions");

        OlympusPack
            .Lost(Columns("identity_credentials", "identity_credential_identifiers"), earlier)
            .Select(static l => $"{l.Question.Name}: {string.Join(", ", l.Missing)}")
            .ShouldBe([
                "there are identities: identities",
                "there are credentials: identities",
                "no credentials without an identity: identities",
            ]);
        OlympusPack.Lost(earlier, earlier).ShouldBeEmpty();
        OlympusPack.Lost(Columns("hydra_client"), Columns()).ShouldBeEmpty("it never had them");
    }

    private static IEnumerable<string> Names(params string[] columns) =>
        OlympusPack.For(Columns(columns), Snapshot, "ciam_kratos").Select(static c => c.Name);

    private static HashSet<string> Columns(params string[] columns) => [.. columns];
}
