using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.App.Restore;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Operations.Restore;
using PgBackup.Operations.Restore.Tables;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Restore;

/// <summary><c>restore</c>: into empty or missing databases, compared with the proof.</summary>
internal static class RestoreVerb
{
    /// <summary>What such a name has to be, for people.</summary>
    public const string DatabaseNames = "Write one of 1 to 63 bytes in one line, and none of Postgres's own databases.";

    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var id = new Argument<string>("ID") { HelpName = "ID", Description = "A snapshot's id, or latest", DefaultValueFactory = static _ => "latest" };
        id.CompletionSources.Add(static _ => Completions.Snapshots());
        var databases = new Option<string[]>("--database", "-d") { Description = "Only this database (may be given several times)", HelpName = "DB" };
        databases.CompletionSources.Add(static _ => Completions.Databases());
        var target = new Option<string>("--target", "-t")
        {
            Description = "podman:[USER@]CONTAINER, docker:[USER@]CONTAINER, or postgres://role@host:port/ (password by PGPASSWORD or PGPASSFILE)",
            HelpName = "TARGET",
        };
        var asName = new Option<string?>("--as") { Description = "Another name for the one database that is restored", HelpName = "NAME" };
        var swap = new Option<bool>("--swap") { Description = "A database that has something in it: restore beside it, compare, then let the two change names at once; the old one is kept" };
        var clean = new Option<bool>("--clean") { Description = "A database that has something in it: drop it first. Asks for its name, or takes --yes" };
        var yes = new Option<bool>("--yes") { Description = "With --clean: drop without asking. With --swap: also where what is there is newer than the snapshot" };
        var tables = new Option<string[]>("--table") { Description = "Only this table (schema.name; may be given several times) of the one --database, beside what is there: with --into-schema or --as", HelpName = "TABLE" };
        var schema = new Option<string?>("--into-schema") { Description = "With --table: a new schema, made in the target's database (--database, or --as)", HelpName = "NAME" };
        var globals = new Option<bool>("--globals") { Description = "First restore the roles, their passwords and memberships" };
        var jobs = new Option<int>("--jobs", "-j")
        {
            Description = "Jobs of pg_restore, shared by databases that are restored at the same time; above 1 the dump is decrypted into a private file first (in /dev/shm, or in /tmp of the target's container)",
            HelpName = "N",
            DefaultValueFactory = static _ => 1,
        };
        jobs.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && (!int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out int n) || n is < 1 or > 64))
            {
                result.AddError("--jobs takes a whole number from 1 to 64.");
            }
        });
        var passwordFile = new Option<string?>("--target-password-file") { Description = "A file with the password of the target's role", HelpName = "FILE" };
        var weakTls = new Option<bool>("--accept-weak-tls") { Description = "Allow a remote target with less than sslmode=verify-full" };
        var image = new Option<string?>("--tools-image") { Description = "An image whose client tools are used for a URL (default: this host's, if they fit the server, else postgres:MAJOR)", HelpName = "IMAGE" };
        var storeName = new Option<string?>("--store") { Description = "The store to restore from (default: the first)", HelpName = "NAME" };
        IdentityOptions identity = new();
        var command = new Command("restore", "Restores databases into a server and proves that they equal the snapshot; without arguments, asks step by step")
        {
            id, databases, target, asName, tables, schema, swap, clean, yes, globals, jobs, passwordFile, weakTls, image, storeName,
        };
        identity.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(swap) && result.GetValue(clean))
            {
                result.AddError("--swap keeps what is there and --clean drops it: only one of them.");
            }
            else if (result.GetValue(yes) && !result.GetValue(clean) && !result.GetValue(swap))
            {
                result.AddError("--yes is the answer to what --clean and --swap ask, and is only taken with one of them.");
            }

            bool single = result.GetValue(tables) is { Length: > 0 };
            if (single && (result.GetValue(swap) || result.GetValue(clean) || result.GetValue(globals) || result.GetResult(jobs) is { Implicit: false }))
            {
                result.AddError("--table restores beside what is there, with one job: --swap, --clean, --globals and --jobs do not go with it.");
            }
            else if (single && (result.GetValue(databases) is not { Length: 1 } || (result.GetValue(schema) is null && result.GetValue(asName) is null)))
            {
                result.AddError("--table needs the one --database that has it, and --into-schema NAME or --as NAME for where it goes.");
            }
            else if (!single && result.GetValue(schema) is not null)
            {
                result.AddError("--into-schema is for --table.");
            }

            if (result.GetValue(target) is null && !(Terminal.CanTalk && IsBare(result, options)))
            {
                result.AddError("Option '--target' is required. (With no argument at all, on a terminal, restore asks for everything.)");
            }
        });
        command.SetAction(async (parsed, cancel) =>
        {
            BackupConfig config = Composition.Config(parsed.GetValue(options.Config), cancel);
            if (parsed.GetValue(target) is null)
            {
                return await new RestoreDialogue(config, cancel).RunAsync();
            }

            IObjectStore store = Composition.Store(config, parsed.GetValue(storeName));
            RestoreTarget to = RestoreTarget.Parse(parsed.GetValue(target)!, parsed.GetValue(weakTls)) with { ToolsImage = parsed.GetValue(image) };
            if (to.Connection.Settings.ContainsKey("PGPASSWORD"))
            {
                Terminal.Message("note: a password in --target can be seen in the list of processes; PGPASSWORD, PGPASSFILE or --target-password-file cannot.");
            }

            if (parsed.GetValue(passwordFile) is { } file)
            {
                to = to with { Connection = to.Connection.WithPasswordOf(file) };
            }

            if (parsed.GetValue(asName) is { } name && !IsDatabaseName(name))
            {
                throw new PgBackupException(ErrorCode.Usage, $"--as \"{name}\" is no name for a restored database.", DatabaseNames);
            }

            if (parsed.GetValue(tables) is { Length: > 0 } single)
            {
                var wanted = new TableRestoreRequest
                {
                    Snapshot = parsed.GetValue(id)!,
                    Database = parsed.GetValue(databases)!.Single(),
                    Tables = single,
                    As = parsed.GetValue(asName),
                    Schema = parsed.GetValue(schema),
                };
                return await RestoreTables.RunAsync(config, store, wanted, to, identity.Read(parsed), parsed.GetValue(options.Json), cancel);
            }

            bool drops = parsed.GetValue(clean);
            if (drops && !parsed.GetValue(yes) && !Terminal.CanAsk)
            {
                throw new PgBackupException(
                    ErrorCode.Usage, "--clean asks for the names of the databases that it drops, and nobody can answer: stdin is no terminal.", "Add --yes, or use --swap, which drops nothing.");
            }

            var request = new RestoreRequest
            {
                Snapshot = parsed.GetValue(id)!,
                Databases = parsed.GetValue(databases) ?? [],
                As = parsed.GetValue(asName),
                WhenNotEmpty = drops ? WhenNotEmpty.Drop : parsed.GetValue(swap) ? WhenNotEmpty.Swap : WhenNotEmpty.Refuse,
                IntoSource = to.IsSourceOf(config),
                Globals = parsed.GetValue(globals),
                Jobs = parsed.GetValue(jobs),
                DatabasesAtOnce = Math.Clamp(Environment.ProcessorCount, 1, 8),
            };
            RestoreReport report = await RestoreAsync(config, store, request, to, identity.Read(parsed), cancel, parsed.GetValue(yes) ? null : ConfirmAsync);
            if (parsed.GetValue(options.Json))
            {
                Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.RestoreReport));
            }
            else
            {
                RestoreText.Show(report);
            }

            return report.Succeeded ? 0 : 1;
        });
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup restore latest --target podman:olympus-postgres-new --globals --identity key.txt
            olympus-pgbackup restore 20260301T030000Z -d olympus --as olympus_march -t podman:olympus-postgres -i key.txt
            olympus-pgbackup restore
            olympus-pgbackup restore 20260301T030000Z -d olympus --swap -t podman:olympus-postgres -i key.txt
            olympus-pgbackup restore latest -d ciam_kratos --table public.identities --into-schema rescued -t podman:olympus-postgres -i key.txt
            PGPASSWORD=... olympus-pgbackup restore latest -t 'postgres://postgres@db2:5432/?sslmode=verify-full' -i key.txt
            """,
            """
            0  everything was restored, and equals the snapshot
            1  something failed or differs (the report says what, and what was left), or was refused before anything was changed
            2  wrong usage or config
            """);
    }

    /// <summary>
    /// Prepares the restore, says what it is going to do, lets somebody refuse it by an exception, and does it, with a display; the demo
    /// does the same.
    /// </summary>
    public static async Task<RestoreReport> RestoreAsync(
        BackupConfig config, IObjectStore store, RestoreRequest request, RestoreTarget target, Identity? identity, CancellationToken cancel,
        Func<RestorePlan, CancellationToken, Task>? confirm = null)
    {
        await using PreparedRestore prepared = await ProgressDisplay.ShowAsync(progress =>
            new RestoreOperation(store, manifest => Composition.CipherFor(manifest, config, identity), TimeProvider.System, progress).PrepareAsync(request, target, cancel));
        RestoreText.Show(prepared.Plan);
        if (confirm is not null)
        {
            await confirm(prepared.Plan, cancel);
        }

        return await ProgressDisplay.ShowAsync(progress => prepared.RunAsync(progress, cancel));
    }

    /// <summary>
    /// Has the name typed of each database that is dropped, and a yes where one that is only replaced has newer rows than the snapshot.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.NotConfirmed"/>, <see cref="ErrorCode.TargetNewer"/>.</exception>
    public static async Task ConfirmAsync(RestorePlan plan, CancellationToken cancel)
    {
        await ConfirmDropsAsync(plan, cancel);
        string[] newer = [.. plan.Newer.Where(static s => s.Action == RestoreStep.Swap).Select(static s => s.Name)];
        if (newer.Length == 0)
        {
            return;
        }

        string what = $"{string.Join(", ", newer)} at {plan.Target} {(newer.Length == 1 ? "has" : "have")} rows that are newer than the snapshot {plan.Snapshot}";
        if (!Terminal.CanTalk || await Terminal.AskAsync($"{what}. To replace all the same, type yes: ", cancel) != "yes")
        {
            throw new PgBackupException(
                ErrorCode.TargetNewer, $"{what}; nothing was changed.", "If these rows are to be left behind (they stay in the database that is kept), add --yes; else take a newer snapshot, or restore beside with --as NAME.");
        }
    }

    /// <summary>Has the name typed of each database that is dropped.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.NotConfirmed"/>.</exception>
    public static async Task ConfirmDropsAsync(RestorePlan plan, CancellationToken cancel)
    {
        foreach (string name in plan.Dropped)
        {
            if (await Terminal.AskAsync($"To drop \"{name}\" at {plan.Target}, type its name: ", cancel) != name)
            {
                throw new PgBackupException(ErrorCode.NotConfirmed, $"that was not \"{name}\"; nothing was changed.", "Use --swap, which keeps what is there, or type the name as it stands in the plan.");
            }
        }
    }

    /// <summary>It can be the name that a database is restored under.</summary>
    public static bool IsDatabaseName(string name) => IsName(name) && name is not ("template0" or "template1" or "postgres");

    /// <summary>It can be the name of a database or of a schema.</summary>
    public static bool IsName(string name) => name.Trim().Length > 0 && System.Text.Encoding.UTF8.GetByteCount(name) <= 63 && !name.AsSpan().ContainsAny('\r', '\n');

    private static bool IsBare(System.CommandLine.Parsing.CommandResult result, GlobalOptions options) => result.Children.All(child => child switch
    {
        System.CommandLine.Parsing.OptionResult option => option.Implicit || option.Option == options.Config,
        System.CommandLine.Parsing.ArgumentResult argument => argument.Tokens.Count == 0,
        _ => true,
    });
}
