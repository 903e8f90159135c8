using System.Globalization;
using PgBackup.Host;

namespace PgBackup.Tests.Host;

public sealed class ProcessMarkTests
{
    private static readonly string Own = ProcessMark.Own.ShouldNotBeNull();
    private static readonly string Beyond = (4_194_304 + 1).ToString(CultureInfo.InvariantCulture); // PID_MAX_LIMIT of Linux

    [Fact]
    public void A_process_that_runs_is_not_gone() => ProcessMark.IsGone(Own).ShouldBeFalse();

    [Fact]
    public void A_process_whose_id_nobody_has_is_gone() => ProcessMark.IsGone(Changed(2, Beyond)).ShouldBeTrue();

    [Fact]
    public void A_process_that_the_kernel_hides_from_this_user_is_not_gone()
    {
        using var empty = new TestFolder();

        ProcessMark.IsGone(Own, empty.Path).ShouldBeFalse();
        ProcessMark.IsGone(Changed(2, "1"), empty.Path).ShouldBeFalse();
        ProcessMark.IsGone(Changed(2, Beyond), empty.Path).ShouldBeTrue();
    }

    [Fact]
    public void A_process_whose_id_another_one_has_now_is_gone() => ProcessMark.IsGone(Changed(3, "1")).ShouldBeTrue();

    [Theory]
    [InlineData(0, "00000000-0000-0000-0000-000000000000")]
    [InlineData(1, "pid:[1]")]
    public void Of_a_process_of_another_system_or_namespace_nobody_knows(int field, string value)
    {
        string[] parts = Changed(3, "1").Split('/');
        parts[field] = value;
        ProcessMark.IsGone(string.Join('/', parts)).ShouldBeFalse();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("a/b/c")]
    [InlineData("a/b/c/d/e")]
    public void What_is_no_mark_tells_nothing(string? mark) => ProcessMark.IsGone(mark).ShouldBeFalse();

    private static string Changed(int field, string value)
    {
        string[] parts = Own.Split('/');
        parts.Length.ShouldBe(4);
        parts[field] = value;
        return string.Join('/', parts);
    }
}
