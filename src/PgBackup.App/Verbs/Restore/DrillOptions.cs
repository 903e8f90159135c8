using System.CommandLine;

namespace PgBackup.App.Verbs.Restore;

/// <summary>The options of <c>drill</c>.</summary>
internal sealed class DrillOptions
{
    private readonly Argument<string> id = VerbOptions.Snapshot();

    private readonly Option<string?> store = VerbOptions.Store("The store to restore from (default: the last of the config, off the host)");

    private readonly Option<bool> keep = new("--keep")
    {
        Description = "Leave the scratch server running, and say how to reach and remove it",
    };

    private readonly Option<bool> list = new("--list") { Description = "Only list past drills" };

    private readonly Option<string?> show = new("--show")
    {
        Description = "Only print the report of a past drill: of the newest, or of a time from --list",
        HelpName = "TIME",
        Arity = ArgumentArity.ZeroOrOne,
    };

    /// <summary>The private key.</summary>
    public IdentityOptions Identity { get; } = new();

    /// <summary>Adds the options to the verb.</summary>
    public void AddTo(Command command)
    {
        command.Add(id);
        command.Add(store);
        command.Add(keep);
        command.Add(list);
        command.Add(show);
        Identity.AddTo(command);
    }

    /// <summary>Refuses what has no meaning where no drill is held.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>.</exception>
    public void RequireAlone(ParseResult parsed, DrillArguments given)
    {
        string only = given.List ? list.Name : show.Name;
        string? other =
            given is { List: true, Show: true } ? show.Name
            : given.Keep ? keep.Name
            : parsed.GetResult(id) is { Tokens.Count: > 0 } ? id.Name
            : Identity.Read(parsed) is not null ? "a private key"
            : null;
        if (other is not null)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"{only} cannot be combined with {other}: no drill is held.",
                $"Leave out one of the two; `{only}` takes `{store.Name}`."
            );
        }
    }

    /// <summary>What was typed.</summary>
    public DrillArguments Read(ParseResult parsed) =>
        new()
        {
            Snapshot = parsed.GetValue(id)!,
            Store = parsed.GetValue(store),
            Keep = parsed.GetValue(keep),
            List = parsed.GetValue(list),
            Show = parsed.GetResult(show) is not null,
            ShowTime = parsed.GetValue(show),
        };
}

/// <summary>What was asked of <c>drill</c>, as it was typed.</summary>
internal sealed record DrillArguments
{
    /// <summary>A snapshot's id, or <c>latest</c>.</summary>
    public required string Snapshot { get; init; }

    /// <summary>The store to restore from; null for the last.</summary>
    public required string? Store { get; init; }

    /// <summary>Leave the scratch server running.</summary>
    public required bool Keep { get; init; }

    /// <summary>Hold no drill, but list those that were held.</summary>
    public required bool List { get; init; }

    /// <summary>Hold no drill, but print the report of one that was held.</summary>
    public required bool Show { get; init; }

    /// <summary>When that one began; null for the newest.</summary>
    public required string? ShowTime { get; init; }
}
