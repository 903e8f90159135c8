using System.CommandLine;
using System.CommandLine.Completions;
using PgBackup.Configuration;
using PgBackup.Installations;
using PgBackup.Snapshots;

namespace PgBackup.App;

/// <summary>
/// What the shell may complete: ids, and names of databases and stores, from the config if there is one that can be read. A host that only
/// restores has one without a source.
/// </summary>
internal sealed class Completions(TimeProvider clock)
{
    /// <summary>Has them completed wherever a command, or a verb below it, takes them.</summary>
    public void AddTo(Command command)
    {
        foreach (Argument argument in command.Arguments)
        {
            switch (argument.Name)
            {
                case "ID":
                    argument.CompletionSources.Add(_ => Snapshots());
                    break;
                case "A" or "B":
                    argument.CompletionSources.Add(_ => Sides());
                    break;
            }
        }

        foreach (Option option in command.Options)
        {
            switch (option.Name)
            {
                case "--store":
                    option.CompletionSources.Add(_ => FromConfig(static c => c.Stores.Select(static s => s.Name)));
                    break;
                case "--database":
                    option.CompletionSources.Add(_ => FromConfig(static c => c.Databases.Select(static d => d.Name)));
                    break;
            }
        }

        foreach (Command verb in command.Subcommands)
        {
            AddTo(verb);
        }
    }

    // The newest first, and latest.
    private IEnumerable<CompletionItem> Snapshots()
    {
        try
        {
            Installation installation = new(Config(), clock);
            IReadOnlyList<CatalogEntry> entries = installation
                .CatalogOf(installation.Store().Store)
                .ListAsync(CancellationToken.None)
                .GetAwaiter()
                .GetResult();
            return [Offer(SnapshotRef.Latest), .. entries.Reverse().Take(50).Select(static e => new CompletionItem(e.Id.ToString()))];
        }
        catch (PgBackupException)
        {
            return [Offer(SnapshotRef.Latest)]; // no config, nothing to complete; the command itself will say so
        }
    }

    // What `diff` compares: the same, and the words that only it knows.
    private IEnumerable<CompletionItem> Sides() => [Offer(SnapshotRef.Live), Offer(SnapshotRef.Previous), .. Snapshots()];

    private static CompletionItem Offer(SnapshotRef word) => new(word.ToString());

    private static BackupConfig Config() => ConfigReader.ReadStores(ConfigReader.Find(null), CancellationToken.None);

    private static IEnumerable<CompletionItem> FromConfig(Func<BackupConfig, IEnumerable<string>> names)
    {
        try
        {
            return [.. names(Config()).Select(static name => new CompletionItem(name))];
        }
        catch (PgBackupException)
        {
            return [];
        }
    }
}
