using PgBackup.Host;

namespace PgBackup.Serve;

/// <summary>Whether the program's file was replaced: after an upgrade, what runs is the old one.</summary>
/// <param name="file">The program's file.</param>
internal sealed class BinaryWatch(string file)
{
    private readonly string? first = Look(file);
    private string? last;
    private string? refused;

    /// <summary>The program's file.</summary>
    public string File => file;

    /// <summary>Another file lies there, and it was the same one at the last look: nobody is writing it any more.</summary>
    public bool WasReplaced()
    {
        string? now = Look(file);
        bool isSteady = now is not null && now == last;
        last = now;
        return isSteady && now != first;
    }

    /// <summary>Another file lies there than the one that runs, or none.</summary>
    public bool IsAnother => Look(file) != first;

    /// <summary>What lies there now is no better: it is not looked at again before it changes.</summary>
    public void Refuse() => refused = last;

    /// <summary>It was refused, and is still the same.</summary>
    public bool IsRefused => refused is not null && refused == last;

    private static string? Look(string file)
    {
        try
        {
            return NamedFile.IdentityOf(file);
        }
        catch (IOException)
        {
            return null; // it is being replaced
        }
    }
}
