using PgBackup.Host;

namespace PgBackup.Tests.Host;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.0 kB")]
    [InlineData(1049, "1.0 kB")]
    [InlineData(82_100_000, "82.1 MB")]
    [InlineData(999_949, "999.9 kB")]
    [InlineData(999_950, "1.0 MB")]
    [InlineData(1_500_000_000_000, "1.5 TB")]
    [InlineData(long.MaxValue, "9223.4 PB")]
    public void Bytes_are_told_in_powers_of_1000(long bytes, string text) => ByteSize.Text(bytes).ShouldBe(text);
}
