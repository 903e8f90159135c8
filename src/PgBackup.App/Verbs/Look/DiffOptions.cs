using System.CommandLine;
using PgBackup.Operations.Diff;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Look;

/// <summary>The options of <c>diff</c>.</summary>
internal sealed class DiffOptions
{
    private readonly Argument<string> from = new("A")
    {
        HelpName = "A",
        Description = "A snapshot's id, latest, previous (the complete one before the other), or live (the databases as they are now)",
        DefaultValueFactory = static _ => SnapshotRef.Previous.ToString(),
    };

    private readonly Argument<string> to = new("B")
    {
        HelpName = "B",
        Description = "The same",
        DefaultValueFactory = static _ => SnapshotRef.Latest.ToString(),
    };

    private readonly Option<string[]> databases = VerbOptions.Databases();
    private readonly Option<bool> all = new("--all") { Description = "Also show tables that are the same" };

    /// <summary>The store with the snapshots.</summary>
    public Option<string?> Store { get; } = VerbOptions.Store("The store to look into (default: the first)");

    /// <summary>Adds the options to the verb.</summary>
    public void AddTo(Command command)
    {
        command.Add(from);
        command.Add(to);
        command.Add(databases);
        command.Add(all);
        command.Add(Store);
    }

    /// <summary>What is compared.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> for what names no snapshot.</exception>
    public DiffRequest Read(ParseResult parsed) =>
        new()
        {
            From = SnapshotRef.ParseSide(parsed.GetValue(from)!),
            To = SnapshotRef.ParseSide(parsed.GetValue(to)!),
            Databases = parsed.GetValue(databases) ?? [],
            All = parsed.GetValue(all),
        };
}
