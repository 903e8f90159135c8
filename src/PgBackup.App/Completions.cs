using System.CommandLine.Completions;
using PgBackup.Configuration;
using PgBackup.Snapshots;

namespace PgBackup.App;

/// <summary>What the shell may complete: ids and database names, from the config if there is one that can be read.</summary>
internal static class Completions
{
    /// <summary>Snapshot ids, newest first, and <c>latest</c>.</summary>
    public static IEnumerable<CompletionItem> Snapshots()
    {
        try
        {
            BackupConfig config = ConfigReader.Read(ConfigReader.Find(null), forBackup: true, CancellationToken.None);
            IReadOnlyList<CatalogEntry> entries = new Catalog(Composition.Store(config)).ListAsync(CancellationToken.None).GetAwaiter().GetResult();
            return [new CompletionItem("latest"), .. entries.Reverse().Take(50).Select(static e => new CompletionItem(e.Id.ToString()))];
        }
        catch (PgBackupException)
        {
            return [new CompletionItem("latest")]; // no config, nothing to complete; the command itself will say so
        }
    }

    /// <summary>What <c>diff</c> compares: the same, and the words that only it knows.</summary>
    public static IEnumerable<CompletionItem> Sides() => [new CompletionItem("live"), new CompletionItem("previous"), .. Snapshots()];

    /// <summary>The databases of the config.</summary>
    public static IEnumerable<CompletionItem> Databases()
    {
        try
        {
            return [.. ConfigReader.Read(ConfigReader.Find(null), forBackup: true, CancellationToken.None).Databases.Select(static d => new CompletionItem(d.Name))];
        }
        catch (PgBackupException)
        {
            return [];
        }
    }
}
