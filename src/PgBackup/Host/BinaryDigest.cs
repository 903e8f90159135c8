using System.Security.Cryptography;

namespace PgBackup.Host;

/// <summary>SHA-256 of the file that this process runs, computed once, beside other work.</summary>
public static class BinaryDigest
{
    // The file that was started, even if an update has put another one in its place since.
    private const string Self = "/proc/self/exe";

    private static readonly Lazy<Task<string?>> Digest = new(static () => Task.Run(Compute));

    /// <summary>In lower-case hexadecimal; null where the file cannot be read. The first call begins the work, and each one may be waited
    /// for.</summary>
    public static Task<string?> ComputeAsync(CancellationToken cancel) => Digest.Value.WaitAsync(cancel);

    private static string? Compute()
    {
        try
        {
            using var file = new FileStream(Self, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1 << 20, FileOptions.SequentialScan);
            return Convert.ToHexStringLower(SHA256.HashData(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
