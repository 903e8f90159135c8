using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.App.Restore;
using PgBackup.Encryption;
using PgBackup.Installations;
using PgBackup.Operations.Restore;
using PgBackup.Operations.Restore.Tables;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Restore;

/// <summary><c>restore</c>: into empty or missing databases, compared with the proof.</summary>
internal static class RestoreVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var own = new RestoreOptions(options);
        var command = new VerbCommand(
            "restore",
            "Restores databases into a server and proves that they equal the snapshot; without arguments, asks step by step"
        )
        {
            Examples = """
                olympus-pgbackup restore latest --target podman:olympus-postgres-new --globals --identity key.txt
                olympus-pgbackup restore 20260301T030000Z -d olympus --as olympus_march -t podman:olympus-postgres -i key.txt
                olympus-pgbackup restore
                olympus-pgbackup restore 20260301T030000Z -d olympus --swap -t podman:olympus-postgres -i key.txt
                olympus-pgbackup restore latest -d ciam_kratos --table public.identities --into-schema rescued -t podman:olympus -i key.txt
                PGPASSWORD=... olympus-pgbackup restore latest -t 'postgres://postgres@db2:5432/?sslmode=verify-full' -i key.txt
                """,
            ExitCodes = """
                0  everything was restored, and equals the snapshot
                1  something failed or differs (the report says what, and what was left), or the restore was refused and nothing was changed
                2  wrong usage or config
                """,
        };
        own.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(options, own, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(GlobalOptions options, RestoreOptions own, ParseResult parsed, CancellationToken cancel)
    {
        Installation installation = options.ReadStores(parsed, cancel);
        RestoreArguments given = own.Read(parsed);
        if (given.Target is null)
        {
            return await new RestoreDialogue(installation, cancel).RunAsync();
        }

        IObjectStore store = installation.Store(given.Store).Store;
        RestoreTarget target = Target(given);
        if (given.As is { } name && !RestoreNames.IsDatabase(name))
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"--as \"{name}\" is not a valid name for a restored database.",
                RestoreNames.DatabaseRule
            );
        }

        bool json = parsed.GetValue(options.Json);
        if (given.Tables.Count > 0)
        {
            return await RestoreTables.RunAsync(installation, store, TablesOf(given), target, own.Identity.Read(parsed), json, cancel);
        }

        RequireSomeoneToAsk(given);
        RestoreRequest request = DatabasesOf(given, target.IsSourceOf(installation.Config));
        Identity? identity = own.Identity.Read(parsed);
        RestoreReport report = await new RestoreFlow(installation, store, identity).RunAsync(
            request,
            target,
            given.Yes ? null : RestoreFlow.ConfirmAsync,
            cancel
        );
        if (json)
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.RestoreReport));
        }
        else
        {
            RestoreText.Show(report);
        }

        return report.Succeeded ? 0 : 1;
    }

    private static RestoreTarget Target(RestoreArguments given)
    {
        RestoreTarget target = RestoreTarget.Parse(given.Target!, given.AcceptWeakTls) with { ToolsImage = given.ToolsImage };
        if (target.Connection.Settings.ContainsKey("PGPASSWORD"))
        {
            Terminal.Message(
                "note: a password in --target can be seen in the list of processes; PGPASSWORD, PGPASSFILE or "
                    + "--target-password-file cannot."
            );
        }

        return given.PasswordFile is { } file ? target with { Connection = target.Connection.WithPasswordOf(file) } : target;
    }

    private static void RequireSomeoneToAsk(RestoreArguments given)
    {
        if (given.WhenNotEmpty == WhenNotEmpty.Drop && !given.Yes && !Terminal.CanAsk)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                "--clean asks for the names of the databases that it drops, and nobody can answer: stdin is not a terminal.",
                "Add --yes, or use --swap, which drops nothing."
            );
        }
    }

    private static RestoreRequest DatabasesOf(RestoreArguments given, bool intoSource) =>
        new()
        {
            Snapshot = given.Snapshot,
            Databases = given.Databases,
            As = given.As,
            WhenNotEmpty = given.WhenNotEmpty,
            IntoSource = intoSource,
            Globals = given.Globals,
            Jobs = given.Jobs,
            DatabasesAtOnce = RestoreFlow.DatabasesAtOnce,
        };

    private static TableRestoreRequest TablesOf(RestoreArguments given) =>
        new()
        {
            Snapshot = given.Snapshot,
            Database = given.Databases.Single(),
            Tables = given.Tables,
            As = given.As,
            Schema = given.Schema,
        };
}
