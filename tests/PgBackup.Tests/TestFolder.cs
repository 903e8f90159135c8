using System.Globalization;

namespace PgBackup.Tests;

/// <summary>A folder that is gone after the test. Its path is short: a gpg-agent's socket must fit into 107 bytes.</summary>
internal sealed class TestFolder : IDisposable
{
    private static int count;

    public TestFolder()
    {
        Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public string Path { get; } =
        string.Create(CultureInfo.InvariantCulture, $"/tmp/pgbt-{Environment.ProcessId}-{Interlocked.Increment(ref count)}");

    /// <summary>A path below the folder.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Writes a file and returns its path.</summary>
    public string Write(string name, string text)
    {
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public void Dispose()
    {
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }
    }
}
