namespace PgBackup.Serve;

/// <summary>Whether the program's file was replaced: after an upgrade, what runs is the old one.</summary>
/// <param name="file">The program's file.</param>
internal sealed class BinaryWatch(string file)
{
    private readonly (long, DateTime, DateTime)? first = Look(file);
    private (long, DateTime, DateTime)? last;

    /// <summary>The program's file.</summary>
    public string File => file;

    /// <summary>Another file lies there, and it was the same one at the last look: nobody is writing it any more.</summary>
    public bool WasReplaced()
    {
        (long, DateTime, DateTime)? now = Look(file);
        bool isSteady = now is not null && now == last;
        last = now;
        return isSteady && now != first;
    }

    /// <summary>What lies there now is no better: it is not looked at again before it changes.</summary>
    public void Refuse() => refused = last;

    /// <summary>It was refused, and is still the same.</summary>
    public bool IsRefused => refused is not null && refused == last;

    private (long, DateTime, DateTime)? refused;

    // A package may have kept the time of its build: then the time of birth differs, or the size.
    private static (long, DateTime, DateTime)? Look(string file)
    {
        var info = new FileInfo(file);
        return info.Exists ? (info.Length, info.LastWriteTimeUtc, info.CreationTimeUtc) : null;
    }
}
