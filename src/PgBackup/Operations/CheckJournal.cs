using System.Collections.Concurrent;

namespace PgBackup.Operations;

/// <summary>
/// What a long check has read and found right, so that it can be gone on with after an interruption. A file of lines; losing it loses
/// nothing but time.
/// </summary>
public sealed class CheckJournal : IDisposable
{
    private readonly ConcurrentDictionary<string, bool> done = new(StringComparer.Ordinal);
    private readonly Lock writing = new();
    private readonly string path;
    private readonly StreamWriter writer;

    private CheckJournal(string path, bool resume)
    {
        this.path = path;
        if (resume && File.Exists(path))
        {
            foreach (string line in File.ReadLines(path))
            {
                done[line] = true;
            }
        }

        Directory.CreateDirectory(Path.GetDirectoryName(path)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        writer = new StreamWriter(path, append: resume) { AutoFlush = true };
    }

    /// <summary>How much it remembers from before.</summary>
    public int Remembered => done.Count;

    /// <summary>Begins one in a file, or goes on with the one that is there.</summary>
    /// <returns>Null where no file can be written: then a check cannot be gone on with, and works all the same.</returns>
    public static CheckJournal? Open(string path, bool resume)
    {
        try
        {
            return new CheckJournal(path, resume);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>This object, of this digest, was found right.</summary>
    public bool Has(string store, string key, string sha256, CheckDepth depth) => done.ContainsKey(Line(store, key, sha256, depth));

    /// <summary>Remembers it.</summary>
    public void Add(string store, string key, string sha256, CheckDepth depth)
    {
        lock (writing)
        {
            try
            {
                writer.WriteLine(Line(store, key, sha256, depth));
            }
            catch (IOException)
            {
                // A full disk costs the memory of what was done, not the check.
            }
        }
    }

    /// <summary>The check came to its end: there is nothing to go on with.</summary>
    public void Finish()
    {
        writer.Dispose();
        File.Delete(path);
    }

    /// <inheritdoc/>
    public void Dispose() => writer.Dispose();

    private static string Line(string store, string key, string sha256, CheckDepth depth) => $"{store} {depth} {sha256} {key}";
}
