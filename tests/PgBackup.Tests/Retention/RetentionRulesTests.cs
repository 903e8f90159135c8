using PgBackup.Retention;

namespace PgBackup.Tests.Retention;

public sealed class RetentionRulesTests
{
    [Fact]
    public void They_are_told_as_a_config_writes_them()
    {
        RetentionRules.Default.ToString().ShouldBe("all 3d, daily 14d, weekly 90d, monthly 12mo, yearly forever");
        Snapshot.Rules(all: "14d").ToString().ShouldBe("all 14d");
        new RetentionRules().ToString().ShouldBe("everything");
    }
}
