namespace PgBackup.Tests;

/// <summary>What every test needs: the token that ends it, and the folder of the project.</summary>
internal static class TestRun
{
    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The folder with the solution file, above the tests that run.</summary>
    public static string Repository { get; } = FindRepository(AppContext.BaseDirectory);

    /// <summary>A text kept in a file beside the tests.</summary>
    public static string Expected(string name) => File.ReadAllText(Path.Combine(Repository, "tests", "PgBackup.Tests", "Expected", name));

    /// <summary>Reads a stream to its end.</summary>
    public static async Task<byte[]> AllOfAsync(Stream stream)
    {
        await using (stream)
        {
            using var all = new MemoryStream();
            await stream.CopyToAsync(all, Cancel);
            return all.ToArray();
        }
    }

    private static string FindRepository(string folder) => File.Exists(Path.Combine(folder, "olympus-pgbackup.slnx"))
        ? folder
        : FindRepository(Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("the tests do not run below the repository"));
}
