using PgBackup.Encryption;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Restore;

namespace PgBackup.Tests.Operations.Drill;

/// <summary>Reports of drills.</summary>
internal static class DrillSample
{
    private static readonly DateTimeOffset Time = new(2026, 4, 1, 5, 0, 0, TimeSpan.Zero);

    public static DrillReport Passed { get; } =
        new()
        {
            Format = DrillReport.CurrentFormat,
            Cluster = "olympus",
            Snapshot = "20260401T030000Z",
            Store = "offsite",
            Location = "b2:olympus-backups/olympus",
            Host = "rehearsal",
            Tool = "0.1.0",
            ServerVersion = "17.4",
            Target = "container olympus-pgbackup-scratch-12345",
            Encryption = "gpg",
            Recipients =
            [
                new Recipient
                {
                    Fingerprint = "AAAA",
                    Name = "ops@example.com",
                    Expires = new DateTimeOffset(2027, 1, 2, 0, 0, 0, TimeSpan.Zero),
                },
                new Recipient { Fingerprint = "BBBB", Name = "escrow@example.com" },
            ],
            DecryptedBy = ["AAAA"],
            KeysTested = new Dictionary<string, DateTimeOffset> { ["AAAA"] = Time },
            Started = Time,
            Finished = Time.AddSeconds(135.5),
            Phases =
            [
                new DrillPhase { Name = "find the snapshot", Seconds = 0.5 },
                new DrillPhase { Name = "start the scratch server", Seconds = 3.25 },
                new DrillPhase { Name = "fetch, verify and decrypt", Seconds = 30 },
                new DrillPhase { Name = "restore the roles", Seconds = 0.25 },
                new DrillPhase { Name = "restore and compare the databases", Seconds = 100 },
                new DrillPhase { Name = "checks", Seconds = 1 },
                new DrillPhase { Name = "remove the scratch server", Seconds = 0.5 },
            ],
            RestoreSeconds = 134,
            RtoSeconds = 1800,
            DataAgeSeconds = 7200,
            RpoSeconds = 93600,
            RedeploySeconds = 1800,
            Databases =
            [
                new DrillDatabase
                {
                    Name = "ciam_kratos",
                    Tables = 14,
                    Rows = 111426,
                    RestoreSeconds = 8.6,
                    CompareSeconds = 1.1,
                    Verdict = RestoreVerdict.Equal,
                    Problems = [],
                },
                new DrillDatabase
                {
                    Name = "olympus",
                    Tables = 2,
                    Rows = 256,
                    RestoreSeconds = 0.4,
                    CompareSeconds = 0.2,
                    Verdict = RestoreVerdict.RowsEqual,
                    Problems = [],
                },
            ],
            Questions =
            [
                new DrillQuestion
                {
                    Database = "ciam_kratos",
                    Name = "there are identities",
                    Expected = "> 0",
                    Answer = "10000",
                    Passed = true,
                },
                new DrillQuestion
                {
                    Database = "ciam_kratos",
                    Name = "credentials per identity",
                    Answer = "1.50",
                    Passed = true,
                },
            ],
            ApplicationKeys =
            [
                new SecretTest
                {
                    Service = "hydra",
                    Database = "ciam_hydra",
                    Table = "hydra_jwk",
                    Values = 4,
                    Verdict = SecretVerdict.Decrypts,
                    Detail = "4 were tried, the newest and the oldest: 3 with secret 1, 1 with secret 2",
                },
                new SecretTest
                {
                    Service = "settings",
                    Database = "olympus",
                    Table = "iam_settings",
                    Values = 120,
                    Verdict = SecretVerdict.NotTested,
                    Detail = "drill.application_keys has no key for it",
                },
            ],
            Findings = [Finding.Note(ErrorCode.RestoreNoted, "", "the schema was not compared")],
        };

    public static DrillReport Failed { get; } =
        Passed with
        {
            Started = Time.AddDays(1),
            Encryption = "none",
            Recipients = [],
            DecryptedBy = [],
            KeysTested = new Dictionary<string, DateTimeOffset>(),
            Target = "a|server\nsomewhere",
            RestoreSeconds = 7300,
            DataAgeSeconds = 100,
            Databases =
            [
                Passed.Databases[0] with
                {
                    Name = "a|b\nc",
                    Verdict = RestoreVerdict.Failed,
                    Problems = ["table public.x|y: 3 rows,\nexpected 4"],
                },
            ],
            Questions =
            [
                new DrillQuestion
                {
                    Database = "a|b\nc",
                    Name = "SELECT a || b\nFROM c",
                    Expected = "rows",
                    Passed = false,
                },
                new DrillQuestion
                {
                    Database = "olympus",
                    Name = "lost",
                    Expected = "1",
                    Passed = false,
                    Problem = "the database was not restored",
                },
            ],
            ApplicationKeys =
            [
                new SecretTest
                {
                    Service = "kratos",
                    Database = "a|b\nc",
                    Table = "identity_credentials",
                    Values = 60,
                    Verdict = SecretVerdict.WrongKey,
                    Detail = "2 of 40 that were tried do not decrypt with the secret of the secret_file (a|b)",
                },
                new SecretTest
                {
                    Service = "settings",
                    Database = "olympus",
                    Table = "ciam_settings",
                    Verdict = SecretVerdict.Failed,
                    Detail = "the secret_file /run/secrets/x is empty",
                },
            ],
            Findings =
            [
                Finding.Error(ErrorCode.ProofDiffers, "a|b\nc", "a|b\nc does not equal the snapshot"),
                Finding.Error(ErrorCode.RtoExceeded, "", "the restore took 7300 s, and may take 1800 s (drill.rto)"),
            ],
        };
}
