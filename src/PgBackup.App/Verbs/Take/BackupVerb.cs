using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Operations;
using PgBackup.Operations.Backup;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Replicate;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.App.Verbs.Take;

/// <summary><c>olympus-pgbackup</c>, <c>run</c> and <c>backup</c>: take a snapshot.</summary>
internal static class BackupVerb
{
    private const string ExitCodes =
        """
        0  the snapshot is complete
        1  nothing was stored, and earlier snapshots are as they were
        2  wrong usage or config
        3  a snapshot was stored, but part of it failed, or a store lacks snapshots (the summary says what)
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
        root.SetAction((parsed, cancel) => RunAsync(options, parsed, new RunRequest { Prune = true }, cancel));
        ExamplesHelpAction.Describe(root, RunExamples, ExitCodes);
        return root;
    }

    /// <summary>The nightly job under its name.</summary>
    public static Command Run(GlobalOptions options)
    {
        var command = new Command("run", "The nightly job (the same as no verb at all): a snapshot of all databases and the roles, copies in all stores, old ones removed");
        command.SetAction((parsed, cancel) => RunAsync(options, parsed, new RunRequest { Prune = true }, cancel));
        return ExamplesHelpAction.Describe(command, RunExamples, ExitCodes);
    }

    /// <summary>Only a snapshot, perhaps of some databases.</summary>
    public static Command Backup(GlobalOptions options)
    {
        var databases = new Option<string[]>("--database", "-d") { Description = "Only this database (may be given several times)", HelpName = "DB", AllowMultipleArgumentsPerToken = false };
        databases.CompletionSources.Add(_ => Completions.Databases());
        var pin = new Option<string?>("--pin") { Description = "Keep this snapshot until it is unpinned, and why", HelpName = "NOTE" };
        var command = new Command("backup", "Only take a snapshot, of all databases or of some, and copy it into all stores; nothing is removed") { databases, pin };
        command.SetAction((parsed, cancel) =>
            RunAsync(options, parsed, new RunRequest { Databases = parsed.GetValue(databases), Pin = parsed.GetValue(pin) }, cancel));
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup backup
            olympus-pgbackup backup --pin "before the migration"
            olympus-pgbackup backup --database ciam_kratos      before a migration of it; such a snapshot is incomplete
            """,
            ExitCodes);
    }

    private static async Task<int> RunAsync(GlobalOptions options, ParseResult parsed, RunRequest request, CancellationToken cancel)
    {
        BackupConfig config = Composition.Config(parsed.GetValue(options.Config), cancel, forBackup: true);
        IReadOnlyList<BackupStore> stores = Composition.Stores(config);
        ICipher cipher = Composition.Cipher(config);
        long start = TimeProvider.System.GetTimestamp();
        RunReport report = await ProgressDisplay.ShowAsync(
            progress => new RunOperation(config, stores, cipher, TimeProvider.System, progress).RunAsync(request, cancel));
        if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.RunReport));
        }
        else
        {
            Summarise(report, stores[0].Store, TimeProvider.System.GetElapsedTime(start));
        }

        if (report.Manifest.Failures.Count > 0)
        {
            return Terminal.Fail(new PgBackupException(
                ErrorCode.BackupIncomplete,
                $"part of the backup failed: {string.Join(", ", report.Manifest.Failures.Select(static f => f.Part))}.",
                "The reasons are above and in `olympus-pgbackup show`. What was stored can be restored; `latest` stays the last complete snapshot."));
        }

        return !report.LacksReplicas
            ? 0
            : Terminal.Fail(new PgBackupException(
                ErrorCode.ReplicaIncomplete,
                $"the snapshot is whole in {stores[0].Store.Name}, and not every other store has all it should: {string.Join(", ", report.Replicas.Where(static r => r.Code is not null || r.Lacks.Count > 0).Select(static r => r.Store))}.",
                "The reasons are above. The next run copies what is missing, oldest first."));
    }

    private static void Summarise(RunReport report, IObjectStore store, TimeSpan elapsed)
    {
        Manifest manifest = report.Manifest;
        foreach (string note in manifest.Notes.Concat(report.Notes))
        {
            Terminal.Message($"note: {note}");
        }

        foreach (string warning in manifest.Warnings)
        {
            Terminal.Message($"WARNING: {warning}");
        }

        foreach (PartFailure failure in manifest.Failures)
        {
            Terminal.Message($"FAILED: {failure.Part} ({failure.Code}): {failure.Message}");
        }

        foreach (ReplicaReport replica in report.Replicas)
        {
            Terminal.Line(Describe(replica));
        }

        foreach (PruneReport pruned in report.Pruned.Where(static p => p.Removed.Count > 0 || p.Swept > 0))
        {
            Terminal.Line($"{pruned.Store}: removed {pruned.Removed.Count} old snapshot{(pruned.Removed.Count == 1 ? "" : "s")} ({ByteSize.Text(pruned.Plan.BytesFreed)}){(pruned.Swept > 0 ? $", and {pruned.Swept} rest{(pruned.Swept == 1 ? "" : "s")} of interrupted runs" : "")}");
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

    private static string Describe(ReplicaReport replica)
    {
        string where = $"{replica.Store} ({replica.Location})";
        string got = replica.Copied.Count switch
        {
            0 => "",
            1 => $"has {replica.Copied[0]} now",
            _ => $"has {replica.Copied[0]} now, and {replica.Copied.Count - 1} that it lacked",
        };
        string lacks = replica.Lacks.Count == 0 ? "" : $"lacks {string.Join(", ", replica.Lacks.Take(5))}{(replica.Lacks.Count > 5 ? $" and {replica.Lacks.Count - 5} more" : "")}";
        string text = string.Join("; ", ((string[])[got, lacks]).Where(static t => t.Length > 0));
        return replica.Code is { } code ? $"{where}: {(text.Length > 0 ? text + "; " : "")}FAILED ({code}): {replica.Problem}" : $"{where}: {(text.Length > 0 ? text : "nothing to copy")}";
    }
}
