using System.CommandLine;
using PgBackup.Encryption;
using PgBackup.Records;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Look;

/// <summary>The options of <c>check</c>.</summary>
internal sealed class CheckOptions
{
    private readonly Argument<string?> id = new("ID")
    {
        HelpName = "ID",
        Description = "A snapshot's id, or latest (the default)",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> all = new("--all") { Description = "Every snapshot of the store" };
    private readonly Option<string?> store = VerbOptions.Store("Only this store (default: all of the config)");

    private readonly Option<bool> readData = new("--read-data")
    {
        Description =
            "Read every stored byte and compare its digest; if there is a private key, also decrypt and decode (--identity "
            + "implies this)",
    };

    private readonly Option<bool> repair = new("--repair")
    {
        Description =
            "Copy a good object from another store over each damaged or missing one, and whole snapshots into stores that lack them",
    };

    private readonly Option<bool> resume = new("--resume")
    {
        Description = "Continue an interrupted check of the same depth; what was right is not read again",
    };

    private readonly Option<string?> image = new("--tools-image")
    {
        Description =
            "An image whose pg_restore decodes (default: this host's, if it has the right version or a newer one, else the source's "
            + "container or image)",
        HelpName = "IMAGE",
    };

    /// <summary>The private key.</summary>
    public IdentityOptions Identity { get; } = new();

    /// <summary>Adds the options to the verb.</summary>
    public void AddTo(Command command)
    {
        command.Add(id);
        command.Add(all);
        command.Add(store);
        command.Add(readData);
        command.Add(repair);
        command.Add(resume);
        command.Add(image);
        Identity.AddTo(command);
    }

    /// <summary>What was typed.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> for one snapshot and all of them, and for what names
    /// none.</exception>
    public CheckArguments Read(ParseResult parsed) =>
        parsed.GetValue(all) && parsed.GetValue(id) is not null
            ? throw new PgBackupException(ErrorCode.Usage, "an ID and --all exclude each other.", "Write one of them.")
            : new CheckArguments
            {
                Snapshot =
                    parsed.GetValue(all) ? null
                    : parsed.GetValue(id) is { } named ? SnapshotRef.Parse(named)
                    : SnapshotRef.Latest,
                Store = parsed.GetValue(store),
                ReadData = parsed.GetValue(readData),
                Repair = parsed.GetValue(repair),
                Resume = parsed.GetValue(resume),
                ToolsImage = parsed.GetValue(image),
            };
}

/// <summary>What was asked of <c>check</c>, as it was typed.</summary>
internal sealed record CheckArguments
{
    /// <summary>The snapshot; null for every one.</summary>
    public required SnapshotRef? Snapshot { get; init; }

    /// <summary>The one store to check; null for all.</summary>
    public required string? Store { get; init; }

    /// <summary>Read every stored byte.</summary>
    public required bool ReadData { get; init; }

    /// <summary>Mend what another store has a good copy of.</summary>
    public required bool Repair { get; init; }

    /// <summary>Continue an interrupted check.</summary>
    public required bool Resume { get; init; }

    /// <summary>An image whose pg_restore decodes.</summary>
    public required string? ToolsImage { get; init; }

    /// <summary>How deep to look. A private key that was named is used.</summary>
    public CheckDepth DepthWith(Identity? key) =>
        key is not null ? CheckDepth.Decode
        : ReadData ? CheckDepth.ReadData
        : CheckDepth.Present;
}
