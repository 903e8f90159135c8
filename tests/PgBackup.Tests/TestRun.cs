namespace PgBackup.Tests;

/// <summary>What every test needs: the token that ends it, and the folder of the project.</summary>
internal static class TestRun
{
    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The folder with the solution file, above the tests that run.</summary>
    public static string Repository { get; } = FindRepository(AppContext.BaseDirectory);

    /// <summary>
    /// Compares a text that people read with the file of it in Expected. With ACCEPT_EXPECTED=1 in the environment the file is
    /// written instead; look at the difference before you commit it.
    /// </summary>
    public static void ShouldBeAsExpected(this string text, string name)
    {
        string file = Path.Combine(Repository, "tests", "PgBackup.Tests", "Expected", name);
        if (Environment.GetEnvironmentVariable("ACCEPT_EXPECTED") == "1")
        {
            File.WriteAllText(file, text);
        }

        text.ShouldBe(File.ReadAllText(file), $"another text than in {file}; ACCEPT_EXPECTED=1 accepts it");
    }

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

    private static string FindRepository(string folder) =>
        File.Exists(Path.Combine(folder, "olympus-pgbackup.slnx"))
            ? folder
            : FindRepository(
                Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("the tests do not run below the repository")
            );
}
