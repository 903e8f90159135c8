namespace PgBackup.Tests;

public sealed class PgBackupExceptionTests
{
    [Fact]
    public void Wrong_usage_or_config_exits_with_2_part_of_a_backup_with_3_everything_else_with_1()
    {
        foreach (ErrorCode code in Enum.GetValues<ErrorCode>())
        {
            new PgBackupException(code, "x").ExitCode.ShouldBe(
                code switch
                {
                    ErrorCode.Usage or ErrorCode.ConfigMissing or ErrorCode.ConfigInvalid or ErrorCode.UntrustedFile => 2,
                    ErrorCode.NothingToConfirm => 2,
                    ErrorCode.BackupIncomplete or ErrorCode.ReplicaIncomplete or ErrorCode.ConfirmedInPart => 3,
                    _ => 1,
                },
                code.ToString()
            );
        }
    }

    [Fact]
    public void A_code_is_printed_with_four_digits()
    {
        new PgBackupException(ErrorCode.ConfigMissing, "x").CodeText.ShouldBe("PGB-0010");
        PgBackupException.CodeTextOf(ErrorCode.Unexpected).ShouldBe("PGB-0001");
    }

    [Fact]
    public void Codes_are_permanent() =>
        Enum.GetValues<ErrorCode>()
            .Select(static code => $"{(int)code} {code}")
            .ShouldBe([
                "1 Unexpected",
                "2 Usage",
                "3 Cancelled",
                "10 ConfigMissing",
                "11 ConfigInvalid",
                "12 UntrustedFile",
                "13 NoPrivateFolder",
                "14 TooFewFiles",
                "15 LimitTooLow",
                "20 ToolMissing",
                "21 ToolFailed",
                "22 ToolVersion",
                "23 ContainerUnavailable",
                "30 Connection",
                "31 ConnectionRefusedByPolicy",
                "32 DatabaseMissing",
                "33 SqlFailed",
                "34 DumpUnreadable",
                "40 BackupIncomplete",
                "41 BackupFailed",
                "42 AlreadyRunning",
                "44 MomentLost",
                "45 TablesLocked",
                "46 DumpStalled",
                "50 RecipientUnusable",
                "51 IdentityUnusable",
                "52 OutputLost",
                "60 StoreUnavailable",
                "61 StoreOfAnotherCluster",
                "62 SnapshotMissing",
                "63 ManifestUnreadable",
                "64 ManifestTooNew",
                "65 ObjectDamaged",
                "66 PartMissing",
                "67 StoreNotEncrypting",
                "68 ReplicaIncomplete",
                "69 PruneWithheld",
                "70 TargetInvalid",
                "71 TargetNotEmpty",
                "72 TargetTooOld",
                "73 RestoreFailed",
                "74 ProofDiffers",
                "75 GlobalsFailed",
                "76 TargetIsSource",
                "77 NotConfirmed",
                "78 SwapFailed",
                "80 ScratchFailed",
                "81 DrillFailed",
                "82 StagingFailed",
                "86 TableMissing",
                "87 TargetNewer",
                "88 MomentUnreachable",
                "90 KeyTestFailed",
                "100 DiffIncomplete",
                "110 ObjectUnreadable",
                "111 StoresAreOne",
                "120 EarlierFinding",
                "121 DatabaseGone",
                "122 DatabaseUncovered",
                "123 UncoveredDatabaseGone",
                "124 TableGone",
                "125 TableShrunk",
                "126 FirstSnapshot",
                "127 SnapshotAwaited",
                "128 NotRemoved",
                "129 StoreLimited",
                "130 OneRecipient",
                "131 KeyExpiring",
                "132 KeyUntested",
                "133 RetiredKeyNeeded",
                "134 KeyRecordsUnreadable",
                "135 CanaryNotWritten",
                "136 KeyTestNotRecorded",
                "137 KeyNotKnown",
                "138 LockNoted",
                "139 PruneSkipped",
                "140 SwapLeftover",
                "141 TargetFallsShort",
                "142 RoleKept",
                "143 RestoreNoted",
                "150 AnswerWrong",
                "151 ApplicationKeyWrong",
                "152 RtoExceeded",
                "153 RpoExceeded",
                "154 DrillNotRecorded",
                "155 DrillLeftover",
                "156 RestoredByJobs",
                "160 StoreEmptied",
                "161 GapNotFilled",
                "162 SnapshotNoted",
                "163 ComparisonSkipped",
                "164 ColumnGone",
                "165 TableEmptied",
                "166 ExpectationUnmet",
                "170 ConfirmationsUnreadable",
                "171 NothingToConfirm",
                "172 ConfirmationNotRecorded",
                "173 ConfirmedInPart",
                "174 LossConfirmed",
                "180 NoCompleteSnapshot",
                "181 SnapshotTooOld",
                "182 SnapshotFromTheFuture",
                "183 StoreSilent",
                "184 RunKilled",
                "185 LastRunFailed",
                "186 StoreBehind",
                "187 NothingOffHost",
                "188 DrillOverdue",
                "189 LastDrillFailed",
                "190 RecordNotWritten",
                "191 RecordsUnreadable",
                "200 TableUnreadable",
                "201 SequenceUnreadable",
                "202 LargeObjectUnreadable",
                "203 RowsHidden",
                "204 ClientOlder",
                "205 SettingBites",
                "206 StoreUndeletable",
                "207 StoreUnsound",
                "208 ClockOff",
                "209 ImageMissing",
                "210 MemoryShort",
                "211 DiskShort",
                "212 StoreOnServersDisk",
                "213 ExaminationLate",
                "214 PasswordsUnreadable",
                "215 StoreUnlocked",
                "216 StoredUnencrypted",
                "217 DrillTargetLimited",
                "218 DrillKeyMissing",
                "219 SecretReadable",
                "220 MetricsNotWritten",
                "221 NotifierFailing",
                "222 NoDeadMansSwitch",
                "223 NobodyNotified",
                "224 JobFailed",
                "225 NotifyTest",
                "226 NoticeSent",
                "227 AddressTaken",
                "228 AlreadyServing",
                "229 ReloadFailed",
                "230 NeonWindowShort",
                "231 NeonUnknown",
                "232 NeonHostMismatch",
            ]);

    [Fact]
    public void Every_code_has_a_section_in_docs_errors_md()
    {
        string[] headings =
        [
            .. File.ReadAllLines(Path.Combine(TestRun.Repository, "docs", "errors.md")).Where(static line => line.StartsWith('#')),
        ];

        foreach (ErrorCode code in Enum.GetValues<ErrorCode>())
        {
            headings.ShouldContain($"## {PgBackupException.CodeTextOf(code)} {code}");
        }
    }

    [Fact]
    public void Every_section_of_docs_errors_md_says_what_to_do_and_how_the_program_exits()
    {
        foreach (string section in Errors.Split("\n## PGB-").Skip(1))
        {
            section.ShouldContain("\n- **What to do", Case.Sensitive, section[..30]);
            section.ShouldContain("\n- **Exit code** ", Case.Sensitive, section[..30]);
        }
    }

    private static string Errors => File.ReadAllText(Path.Combine(TestRun.Repository, "docs", "errors.md"));
}
