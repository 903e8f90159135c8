using PgBackup.Tools;

namespace PgBackup.Tests.Tools;

public sealed class ToolFailureTests
{
    private static readonly string[] Said = ["[status] NO_KEY", "there is no key"];

    [Fact]
    public void Lines_for_programs_are_not_quoted() =>
        ToolFailure
            .Of(new ToolCommand("tool") { StatusPrefix = "[status] " }.Named("tool --read"), 2, Said)
            .Message.ShouldBe("tool --read failed with exit code 2:\n  there is no key");

    [Fact]
    public void What_is_for_programs_only_the_call_knows() =>
        ToolFailure
            .Of(new ToolCommand("tool"), 2, Said)
            .Message.ShouldBe("tool failed with exit code 2:\n  [status] NO_KEY\n  there is no key");
}
