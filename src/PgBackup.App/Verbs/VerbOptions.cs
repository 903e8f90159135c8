using System.CommandLine;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs;

/// <summary>Arguments and options that several verbs have; each verb makes its own.</summary>
internal static class VerbOptions
{
    /// <summary>Which snapshot; the latest where none is named.</summary>
    public static Argument<string> Snapshot() =>
        new("ID")
        {
            HelpName = "ID",
            Description = "A snapshot's id, or latest",
            DefaultValueFactory = static _ => SnapshotRef.Latest.ToString(),
        };

    /// <summary>Which databases.</summary>
    public static Option<string[]> Databases() =>
        new("--database", "-d") { Description = "Only this database (may be given several times)", HelpName = "DB" };

    /// <summary>Which store.</summary>
    /// <param name="description">What the verb does with it, and what happens without.</param>
    public static Option<string?> Store(string description) => new("--store") { Description = description, HelpName = "NAME" };
}
