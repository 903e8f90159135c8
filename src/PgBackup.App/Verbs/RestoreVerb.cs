using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Operations;
using PgBackup.Storage;

namespace PgBackup.App.Verbs;

/// <summary><c>restore</c>: into empty or missing databases, compared with the proof.</summary>
internal static class RestoreVerb
{
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
            Required = true,
        };
        var asName = new Option<string?>("--as") { Description = "Another name for the one database that is restored", HelpName = "NAME" };
        var swap = new Option<bool>("--swap") { Description = "A database that has something in it: restore beside it, compare, then let the two change names at once; the old one is kept" };
        var clean = new Option<bool>("--clean") { Description = "A database that has something in it: drop it first. Asks for its name, or takes --yes" };
        var yes = new Option<bool>("--yes") { Description = "With --clean: drop without asking" };
        var globals = new Option<bool>("--globals") { Description = "First restore the roles, their passwords and memberships" };
        var jobs = new Option<int>("--jobs", "-j")
        {
            Description = "Jobs of pg_restore for each database; above 1 the dump is decrypted into a private file first (in /dev/shm, or in /tmp of the target's container)",
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
        var command = new Command("restore", "Restores databases into a server and proves that they equal the snapshot")
        {
            id, databases, target, asName, swap, clean, yes, globals, jobs, passwordFile, weakTls, image, storeName,
        };
        identity.AddTo(command);
        command.Validators.Add(result =>
        {
            if (result.GetValue(swap) && result.GetValue(clean))
            {
                result.AddError("--swap keeps what is there and --clean drops it: only one of them.");
            }
            else if (result.GetValue(yes) && !result.GetValue(clean))
            {
                result.AddError("--yes is the answer to what --clean asks, and is only taken with it.");
            }
        });
        command.SetAction(async (parsed, cancel) =>
        {
            BackupConfig config = Composition.Config(parsed.GetValue(options.Config));
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

            if (parsed.GetValue(asName) is { } name &&
                (name.Trim().Length == 0 || System.Text.Encoding.UTF8.GetByteCount(name) > 63 || name.AsSpan().ContainsAny('\r', '\n') || name is "template0" or "template1" or "postgres"))
            {
                throw new PgBackupException(ErrorCode.Usage, $"--as \"{name}\" is no name for a restored database.", "Write one of 1 to 63 bytes in one line, and none of Postgres's own databases.");
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
            RestoreReport report = await RestoreAsync(config, store, request, to, identity.Read(parsed), cancel, confirm: drops && !parsed.GetValue(yes));
            if (parsed.GetValue(options.Json))
            {
                Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.RestoreReport));
            }
            else
            {
                Show(report);
            }

            return report.Succeeded ? 0 : 1;
        });
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup restore latest --target podman:olympus-postgres-new --globals --identity key.txt
            olympus-pgbackup restore 20260301T030000Z -d olympus --as olympus_march -t podman:olympus-postgres -i key.txt
            olympus-pgbackup restore 20260301T030000Z -d olympus --swap -t podman:olympus-postgres -i key.txt
            PGPASSWORD=... olympus-pgbackup restore latest -t 'postgres://postgres@db2:5432/?sslmode=verify-full' -i key.txt
            """,
            """
            0  everything was restored, and equals the snapshot
            1  something failed or differs (the report says what, and what was left), or was refused before anything was changed
            2  wrong usage or config
            """);
    }

    /// <summary>Prepares the restore, says what it is going to do, and does it, with a display; the demo does the same.</summary>
    public static async Task<RestoreReport> RestoreAsync(
        BackupConfig config, IObjectStore store, RestoreRequest request, RestoreTarget target, Identity? identity, CancellationToken cancel, bool confirm = false)
    {
        await using PreparedRestore prepared = await ProgressDisplay.ShowAsync(progress =>
            new RestoreOperation(store, manifest => Composition.CipherFor(manifest, config, identity), TimeProvider.System, progress).PrepareAsync(request, target, cancel));
        Show(prepared.Plan);
        if (confirm)
        {
            Confirm(prepared.Plan);
        }

        return await ProgressDisplay.ShowAsync(progress => prepared.RunAsync(progress, cancel));
    }

    private static void Confirm(RestorePlan plan)
    {
        foreach (string name in plan.Dropped)
        {
            if (Terminal.Ask($"To drop \"{name}\" at {plan.Target}, type its name: ") != name)
            {
                throw new PgBackupException(ErrorCode.NotConfirmed, $"that was not \"{name}\"; nothing was changed.", "Use --swap, which keeps what is there, or type the name as it stands in the plan.");
            }
        }
    }

    private static void Show(RestorePlan plan)
    {
        Terminal.Message($"plan: {plan.Snapshot}, taken {Terminal.Age(TimeSpan.FromSeconds(plan.AgeSeconds))} ago, from the store {plan.Store}, into {plan.Target}");
        if (plan.Globals)
        {
            Terminal.Message("  roles: made, or set to the snapshot's attributes, passwords and memberships");
        }

        foreach (RestoreStep step in plan.Databases)
        {
            Terminal.Message($"  {step.Database}: {Describe(step)}");
        }

        foreach (string left in plan.Left)
        {
            Terminal.Message($"  note: {left}");
        }
    }

    private static string Describe(RestoreStep step)
    {
        string there = $"{step.Name}, {(step.Objects is { } n ? string.Create(CultureInfo.InvariantCulture, $"{n:N0} objects") : "which does not let us in")}" +
            $"{(step.Bytes is { } bytes ? $", {ByteSize.Text(bytes)}" : "")}{(step.Sessions > 0 ? $", {step.Sessions} sessions, which are ended" : "")}";
        return step.Action switch
        {
            RestoreStep.Swap => $"restored beside ({there}) as {step.Copy}; when all are equal to the snapshot, it becomes {step.Name}, and the present one is kept as {step.KeptAs}",
            RestoreStep.Drop => $"DROPS ({there}), and makes it anew",
            RestoreStep.Fill => $"fills {step.Name}, which is there and empty",
            _ => $"makes {step.Name}, which is not there",
        };
    }

    /// <summary>Prints the report.</summary>
    public static void Show(RestoreReport report)
    {
        foreach (string note in report.Notes.Except(report.Plan.Left))
        {
            Terminal.Message($"note: {note}");
        }

        Terminal.Table(
            ["DATABASE", "RESTORED AS", "TABLES", "ROWS", "RESTORE", "COMPARE", "VERDICT"],
            [.. report.Databases.Select(static d => (IReadOnlyList<string>)
            [
                d.Database, d.RestoredAs, d.Tables.ToString(CultureInfo.InvariantCulture), d.Rows.ToString("N0", CultureInfo.InvariantCulture),
                Terminal.Span(d.RestoreSeconds), Terminal.Span(d.CompareSeconds), d.Problems.Count > 0 ? "FAILED" : d.SchemaCompared ? "equal" : "rows equal",
            ])],
            2, 3, 4, 5);
        foreach (DatabaseRestoreReport database in report.Databases.Where(static d => d.Problems.Count > 0))
        {
            Terminal.Line($"\n{database.RestoredAs}: {database.Code}");
            foreach (string problem in database.Problems)
            {
                Terminal.Line($"  {problem}");
            }
        }

        if (report.SwapFailed is { } failure)
        {
            Terminal.Line($"\nswap: {failure.Code}\n  {failure.Message}");
            Statements("To exchange them by hand, in another database and with nobody in these:", failure.Finish);
            Statements("To drop what was restored beside:", failure.Drop);
        }

        foreach (DatabaseRestoreReport database in report.Databases.Where(static d => d.KeptAs is not null))
        {
            Terminal.Line($"\n{database.RestoredAs}: what was there before is kept as {database.KeptAs}");
            Statements("To put it back:", database.Undo!);
            Statements("To drop it:", [database.DropKept!]);
        }

        string verdict = !report.Succeeded ? "restore FAILED"
            : report.Databases.All(static d => d.SchemaCompared) ? "restored and proven equal"
            : "restored, rows proven equal (the schema was not compared: another version of Postgres)";
        Terminal.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Snapshot} {verdict}: {report.Databases.Count} database{(report.Databases.Count == 1 ? "" : "s")} into {report.Target} in {Terminal.Span(report.TotalSeconds)} (checked before: {Terminal.Span(report.VerifySeconds)}, roles: {Terminal.Span(report.GlobalsSeconds)})"));
    }

    private static void Statements(string heading, IReadOnlyList<string> statements)
    {
        if (statements.Count > 0)
        {
            Terminal.Line($"  {heading}");
            foreach (string statement in statements)
            {
                Terminal.Line($"    {statement}");
            }
        }
    }
}
