using System.CommandLine;
using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Operations;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.App.Verbs;

/// <summary><c>olympus-pgbackup</c>, <c>run</c> and <c>backup</c>: take a snapshot.</summary>
internal static class BackupVerb
{
    private const string ExitCodes =
        """
        0  the snapshot is complete
        1  nothing was stored, and earlier snapshots are as they were
        2  wrong usage or config
        3  a snapshot was stored, but part of it failed (the summary says what)
        """;

    private const string RunExamples =
        """
        olympus-pgbackup
        0 3 * * *  /usr/local/bin/olympus-pgbackup          in the crontab of root
        olympus-pgbackup --config /etc/olympus-pgbackup/config.yaml run --json
        """;

    /// <summary>The root command: without a verb, it is <c>run</c>.</summary>
    public static RootCommand Root(GlobalOptions options)
    {
        var root = new RootCommand("Backs up the databases of Olympus: one moment, proven readable, encrypted, restorable with stock tools.");
        root.SetAction((parsed, cancel) => RunAsync(options, parsed, null, cancel));
        ExamplesHelpAction.Describe(root, RunExamples, ExitCodes);
        return root;
    }

    /// <summary>The nightly job under its name.</summary>
    public static Command Run(GlobalOptions options)
    {
        var command = new Command("run", "The nightly job (the same as no verb at all): a snapshot of all databases and the roles");
        command.SetAction((parsed, cancel) => RunAsync(options, parsed, null, cancel));
        return ExamplesHelpAction.Describe(command, RunExamples, ExitCodes);
    }

    /// <summary>Only a snapshot, perhaps of some databases.</summary>
    public static Command Backup(GlobalOptions options)
    {
        var databases = new Option<string[]>("--database", "-d") { Description = "Only this database (may be given several times)", HelpName = "DB", AllowMultipleArgumentsPerToken = false };
        databases.CompletionSources.Add(_ => Completions.Databases());
        var command = new Command("backup", "Only take a snapshot, of all databases or of some") { databases };
        command.SetAction((parsed, cancel) => RunAsync(options, parsed, parsed.GetValue(databases), cancel));
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup backup
            olympus-pgbackup backup --database ciam_kratos      before a migration of it; such a snapshot is incomplete
            """,
            ExitCodes);
    }

    private static async Task<int> RunAsync(GlobalOptions options, ParseResult parsed, string[]? only, CancellationToken cancel)
    {
        BackupConfig config = Composition.Config(parsed.GetValue(options.Config));
        IObjectStore store = Composition.Store(config);
        ICipher cipher = Composition.Cipher(config);
        long start = TimeProvider.System.GetTimestamp();
        Manifest manifest = await ProgressDisplay.ShowAsync(
            progress => new BackupOperation(config, store, cipher, TimeProvider.System, progress).RunAsync(only, cancel));
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(System.Text.Encoding.UTF8.GetString(manifest.ToJson()));
        }
        else
        {
            Summarise(manifest, store, TimeProvider.System.GetElapsedTime(start));
        }

        return manifest.Failures.Count == 0
            ? 0
            : Terminal.Fail(new PgBackupException(
                ErrorCode.BackupIncomplete,
                $"part of the backup failed: {string.Join(", ", manifest.Failures.Select(static f => f.Part))}.",
                "The reasons are above and in `olympus-pgbackup show`. What was stored can be restored; `latest` stays the last complete snapshot."));
    }

    private static void Summarise(Manifest manifest, IObjectStore store, TimeSpan elapsed)
    {
        foreach (string note in manifest.Notes)
        {
            Terminal.Message($"note: {note}");
        }

        foreach (PartFailure failure in manifest.Failures)
        {
            Terminal.Message($"FAILED: {failure.Part} ({failure.Code}): {failure.Message}");
        }

        int databases = manifest.Databases.Count();
        string what = manifest.Failures.Count == 0 ? (manifest.IsComplete ? "complete" : "done, of some databases only") : $"INCOMPLETE, {manifest.Failures.Count} failed";
        string encrypted = manifest.Encryption switch
        {
            "none" => "NOT encrypted",
            "provider" => "encrypted by the store",
            _ => $"{manifest.Encryption} to {manifest.Recipients.Count} recipient{(manifest.Recipients.Count == 1 ? "" : "s")}",
        };
        Terminal.Line(string.Create(
            CultureInfo.InvariantCulture,
            $"{manifest.Id} {what}: {databases} database{(databases == 1 ? "" : "s")}{(manifest.Globals is null ? "" : " and the roles")}, {manifest.Databases.Sum(static p => p.Proof.Rows):N0} rows, {ByteSize.Text(manifest.StoredBytes)} in {store.Location}, {encrypted}, skew {manifest.SkewMs:0.0} ms, {Terminal.Span(elapsed.TotalSeconds)}"));
    }
}
