using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using PgBackup.App.Render;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Restore;

/// <summary>The options of <c>restore</c>, and which of them go together.</summary>
internal sealed class RestoreOptions(GlobalOptions globalOptions)
{
    private readonly Argument<string> id = VerbOptions.Snapshot();
    private readonly Option<string[]> databases = VerbOptions.Databases();

    private readonly Option<string?> target = new("--target", "-t")
    {
        Description =
            "podman:[USER@]CONTAINER, docker:[USER@]CONTAINER, or postgres://role@host:port/ (password by PGPASSWORD or PGPASSFILE)",
        HelpName = "TARGET",
    };

    private readonly Option<string?> asName = new("--as") { Description = "Restore the one --database under this name", HelpName = "NAME" };

    private readonly Option<string[]> tables = new("--table")
    {
        Description = "Only this table (schema.name; may be given several times) of the one --database; needs --into-schema or --as",
        HelpName = "TABLE",
    };

    private readonly Option<string?> schema = new("--into-schema")
    {
        Description = "With --table: make this new schema in the target's database (--database, or --as)",
        HelpName = "NAME",
    };

    private readonly Option<bool> swap = new("--swap")
    {
        Description = "If the database is not empty: restore beside it, compare, then exchange the names; the old database is kept",
    };

    private readonly Option<bool> clean = new("--clean")
    {
        Description = "If the database is not empty: drop it first. Asks you to type its name, unless --yes is given",
    };

    private readonly Option<bool> yes = new("--yes")
    {
        Description = "With --clean: drop without asking. With --swap: replace rows that are newer than the snapshot, too",
    };

    private readonly Option<bool> globals = new("--globals") { Description = "First restore the roles, their passwords and memberships" };

    private readonly Option<int> jobs = new("--jobs", "-j")
    {
        Description =
            "Jobs of pg_restore, shared by databases that are restored at the same time; above 1 the dump is decrypted into a "
            + "private file first (in /dev/shm, or in /tmp of the target's container)",
        HelpName = "N",
        DefaultValueFactory = static _ => 1,
        Validators = { CheckJobs },
    };

    private readonly Option<string?> passwordFile = new("--target-password-file")
    {
        Description = "A file with the password of the target's role",
        HelpName = "FILE",
    };

    private readonly Option<bool> weakTls = new("--accept-weak-tls") { Description = "Allow a remote target without sslmode=verify-full" };

    private readonly Option<string?> image = new("--tools-image")
    {
        Description = "An image whose client tools are used for a URL (default: this host's, if they fit the server, else postgres:MAJOR)",
        HelpName = "IMAGE",
    };

    private readonly Option<string?> store = VerbOptions.Store("The store to restore from (default: the first)");

    /// <summary>The private key.</summary>
    public IdentityOptions Identity { get; } = new();

    /// <summary>Adds the options to the verb.</summary>
    public void AddTo(Command command)
    {
        command.Add(id);
        foreach (
            Option option in (Option[])
                [databases, target, asName, tables, schema, swap, clean, yes, globals, jobs, passwordFile, weakTls, image, store]
        )
        {
            command.Add(option);
        }

        Identity.AddTo(command);
        command.Validators.Add(CheckAnswers);
        command.Validators.Add(CheckTables);
        command.Validators.Add(CheckTarget);
    }

    /// <summary>What was typed.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> for what names no snapshot.</exception>
    public RestoreArguments Read(ParseResult parsed) =>
        new()
        {
            Snapshot = SnapshotRef.Parse(parsed.GetValue(id)!),
            Databases = parsed.GetValue(databases) ?? [],
            Target = parsed.GetValue(target),
            As = parsed.GetValue(asName),
            Tables = parsed.GetValue(tables) ?? [],
            Schema = parsed.GetValue(schema),
            WhenNotEmpty =
                parsed.GetValue(clean) ? WhenNotEmpty.Drop
                : parsed.GetValue(swap) ? WhenNotEmpty.Swap
                : WhenNotEmpty.Refuse,
            Yes = parsed.GetValue(yes),
            Globals = parsed.GetValue(globals),
            Jobs = parsed.GetValue(jobs),
            PasswordFile = parsed.GetValue(passwordFile),
            AcceptWeakTls = parsed.GetValue(weakTls),
            ToolsImage = parsed.GetValue(image),
            Store = parsed.GetValue(store),
        };

    private static void CheckJobs(OptionResult result)
    {
        if (
            result.Tokens.Count == 1
            && (!int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out int n) || n is < 1 or > 64)
        )
        {
            result.AddError("--jobs takes a whole number from 1 to 64.");
        }
    }

    private void CheckAnswers(CommandResult result)
    {
        if (result.GetValue(swap) && result.GetValue(clean))
        {
            result.AddError("--swap keeps what is there and --clean drops it: only one of them.");
        }
        else if (result.GetValue(yes) && !result.GetValue(clean) && !result.GetValue(swap))
        {
            result.AddError("--yes is the answer to what --clean and --swap ask, and is only taken with one of them.");
        }
    }

    private void CheckTables(CommandResult result)
    {
        if (result.GetValue(tables) is not { Length: > 0 })
        {
            if (result.GetValue(schema) is not null)
            {
                result.AddError("--into-schema is for --table.");
            }
        }
        else if (
            result.GetValue(swap)
            || result.GetValue(clean)
            || result.GetValue(globals)
            || result.GetResult(jobs) is { Implicit: false }
        )
        {
            result.AddError(
                "--table restores beside what is there, with one job: --swap, --clean, --globals and --jobs do not go with it."
            );
        }
        else if (result.GetValue(databases) is not { Length: 1 } || (result.GetValue(schema) is null && result.GetValue(asName) is null))
        {
            result.AddError("--table needs the one --database that has it, and a place for it: --into-schema NAME or --as NAME.");
        }
    }

    private void CheckTarget(CommandResult result)
    {
        if (result.GetValue(target) is null && !(Terminal.CanTalk && IsBare(result)))
        {
            result.AddError("Option '--target' is required. (With no argument at all, on a terminal, restore asks for everything.)");
        }
    }

    // Nothing was typed that the dialogue would have to heed.
    private bool IsBare(CommandResult result) =>
        result.Children.All(child =>
            child switch
            {
                OptionResult option => option.Implicit || option.Option == globalOptions.Config,
                ArgumentResult argument => argument.Tokens.Count == 0,
                _ => true,
            }
        );
}
