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
            id, databases, target, asName, globals, jobs, passwordFile, weakTls, image, storeName,
        };
        identity.AddTo(command);
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

            var request = new RestoreRequest
            {
                Snapshot = parsed.GetValue(id)!,
                Databases = parsed.GetValue(databases) ?? [],
                As = parsed.GetValue(asName),
                Globals = parsed.GetValue(globals),
                Jobs = parsed.GetValue(jobs),
                DatabasesAtOnce = Math.Clamp(Environment.ProcessorCount, 1, 8),
            };
            RestoreReport report = await RestoreAsync(config, store, request, to, identity.Read(parsed), cancel);
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
            PGPASSWORD=... olympus-pgbackup restore latest -t 'postgres://postgres@db2:5432/?sslmode=verify-full' -i key.txt
            """,
            """
            0  everything was restored, and equals the snapshot
            1  something failed or differs (the report says what, and what was left), or was refused before anything was changed
            2  wrong usage or config
            """);
    }

    /// <summary>Runs the restore, with a display; the demo does the same.</summary>
    public static Task<RestoreReport> RestoreAsync(
        BackupConfig config, IObjectStore store, RestoreRequest request, RestoreTarget target, Identity? identity, CancellationToken cancel) =>
        ProgressDisplay.ShowAsync(progress =>
            new RestoreOperation(store, manifest => Composition.CipherFor(manifest, config, identity), TimeProvider.System, progress).RunAsync(request, target, cancel));

    /// <summary>Prints the report.</summary>
    public static void Show(RestoreReport report)
    {
        foreach (string note in report.Notes)
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

        string verdict = !report.Succeeded ? "restore FAILED"
            : report.Databases.All(static d => d.SchemaCompared) ? "restored and proven equal"
            : "restored, rows proven equal (the schema was not compared: another version of Postgres)";
        Terminal.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Snapshot} {verdict}: {report.Databases.Count} database{(report.Databases.Count == 1 ? "" : "s")} into {report.Target} in {Terminal.Span(report.TotalSeconds)} (checked before: {Terminal.Span(report.VerifySeconds)}, roles: {Terminal.Span(report.GlobalsSeconds)})"));
    }
}
