using System.Text;
using PgBackup.Host;

namespace PgBackup.Encryption;

/// <summary>
/// A file that the operator names. It may be a pipe, as in <c>--identity &lt;(pass show backup)</c>, which can be read once, and several
/// parts and snapshots need it.
/// </summary>
internal sealed class SecretInput
{
    private readonly Lock gate = new();
    private volatile bool opensAgain;
    private Task<(byte[] Bytes, bool IsFile)>? content;
    private readonly string what;
    private readonly string remedy;

    public SecretInput(string path, string what, string remedy)
    {
        Path = path;
        this.what = what;
        this.remedy = remedy;
    }

    /// <summary>As the operator named it.</summary>
    public string Path { get; }

    /// <summary>What it holds, without a byte order mark; and whether the file itself can be opened again and holds the same.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.IdentityUnusable"/>, whose message ends with what is needed.</exception>
    public async Task<(byte[] Bytes, bool IsFile)> ReadAsync(string needed, CancellationToken cancel)
    {
        try
        {
            return await Content().WaitAsync(cancel);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string why =
                Directory.Exists(Path) ? "is a folder"
                : e is FileNotFoundException or DirectoryNotFoundException ? "does not exist"
                : $"cannot be read ({e.Message})";
            throw new PgBackupException(ErrorCode.IdentityUnusable, $"{what} {Path} {why}; {needed}.", remedy, e);
        }
    }

    /// <summary>Writes bytes into a new file of a private folder.</summary>
    public static async Task<string> WriteAsync(PrivateFolder folder, string name, byte[] bytes, CancellationToken cancel)
    {
        string path = System.IO.Path.Combine(folder.Path, name);
        await using var stream = new FileStream(
            path,
            new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            }
        );
        await stream.WriteAsync(bytes, cancel);
        return path;
    }

    private Task<(byte[] Bytes, bool IsFile)> Content()
    {
        lock (gate)
        {
            return content is { IsFaulted: false } && !opensAgain ? content : content = Task.Run(Read);
        }
    }

    private (byte[] Bytes, bool IsFile) Read()
    {
        (byte[] bytes, opensAgain) = SmallFile.Bytes(Path);
        // Editors of other systems write a mark at the start, or two bytes for each character.
        bool marked = bytes is [0xEF, 0xBB, 0xBF, ..] or [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..];
        return marked ? (Encoding.UTF8.GetBytes(new StreamReader(new MemoryStream(bytes)).ReadToEnd()), false) : (bytes, opensAgain);
    }
}
