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
                    ErrorCode.Usage or ErrorCode.ConfigMissing or ErrorCode.ConfigInvalid => 2,
                    ErrorCode.BackupIncomplete or ErrorCode.ReplicaIncomplete => 3,
                    _ => 1,
                },
                code.ToString());
        }
    }

    [Fact]
    public void A_code_is_printed_with_four_digits()
    {
        new PgBackupException(ErrorCode.ConfigMissing, "x").CodeText.ShouldBe("PGB-0010");
        PgBackupException.CodeTextOf(ErrorCode.Unexpected).ShouldBe("PGB-0001");
    }

    [Fact]
    public void Codes_are_permanent() => Enum.GetValues<ErrorCode>().Select(static code => $"{(int)code} {code}").ShouldBe(
    [
        "1 Unexpected", "2 Usage", "3 Cancelled", "10 ConfigMissing", "11 ConfigInvalid", "20 ToolMissing", "21 ToolFailed", "22 ToolVersion",
        "23 ContainerUnavailable", "30 Connection", "31 ConnectionRefusedByPolicy", "32 DatabaseMissing", "33 SqlFailed", "34 DumpUnreadable",
        "40 BackupIncomplete", "41 BackupFailed", "42 AlreadyRunning", "50 RecipientUnusable", "51 IdentityUnusable", "60 StoreUnavailable",
        "61 StoreOfAnotherCluster", "62 SnapshotMissing", "63 ManifestUnreadable", "64 ManifestTooNew", "65 ObjectDamaged", "66 PartMissing",
        "67 StoreNotEncrypting", "68 ReplicaIncomplete", "69 PruneWithheld",
        "70 TargetInvalid", "71 TargetNotEmpty", "72 TargetTooOld", "73 RestoreFailed", "74 ProofDiffers", "75 GlobalsFailed", "76 TargetIsSource",
        "77 NotConfirmed", "78 SwapFailed", "80 ScratchFailed", "81 DrillFailed", "86 TableMissing", "87 TargetNewer", "90 KeyTestFailed", "100 DiffIncomplete",
    ]);

    [Fact]
    public void Every_code_has_a_section_in_docs_errors_md()
    {
        string[] headings = [.. File.ReadAllLines(Path.Combine(TestRun.Repository, "docs", "errors.md")).Where(static line => line.StartsWith('#'))];

        foreach (ErrorCode code in Enum.GetValues<ErrorCode>())
        {
            headings.ShouldContain(heading => heading.Contains(PgBackupException.CodeTextOf(code)), $"docs/errors.md lacks {PgBackupException.CodeTextOf(code)} {code}");
        }
    }
}
