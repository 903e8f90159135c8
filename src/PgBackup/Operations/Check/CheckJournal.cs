using System.Collections.Concurrent;
using PgBackup.Records;

namespace PgBackup.Operations.Check;

/// <summary>
/// What a long check has read and found right, so that it can resume after an interruption. A file of lines; losing it loses
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

        bool torn = resume && File.Exists(path) && EndsWithinALine(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        writer = new StreamWriter(path, append: resume) { AutoFlush = true };
        if (torn)
        {
            writer.WriteLine();
        }
    }

    /// <summary>How much it remembers from before.</summary>
    public int Remembered => done.Count;

    /// <summary>Begins one in a file, or continues the one that exists.</summary>
    /// <returns>Null where no file can be written: then a check cannot resume, and works all the same.</returns>
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

    /// <summary>This object, of this digest, was found right, so deep or deeper.</summary>
    public bool Has(string store, string key, string sha256, CheckDepth depth) =>
        Enum.GetValues<CheckDepth>().Any(d => d >= depth && done.ContainsKey(Line(store, key, sha256, d)));

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

    /// <summary>The check has ended: there is nothing to resume.</summary>
    public void Finish()
    {
        Dispose();
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It stays, and only --resume reads it: it names what was right by digest.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            writer.Dispose();
        }
        catch (IOException)
        {
            // The disk is full, as it was for the last line.
        }
    }

    // A kill in the middle of a line must not cost the next one too.
    private static bool EndsWithinALine(string path)
    {
        using FileStream file = File.OpenRead(path);
        return file.Length > 0 && file.Seek(-1, SeekOrigin.End) >= 0 && file.ReadByte() != '\n';
    }

    private static string Line(string store, string key, string sha256, CheckDepth depth) => $"{store} {depth} {sha256} {key}";
}
