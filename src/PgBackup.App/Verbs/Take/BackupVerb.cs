using System.Collections.Concurrent;
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Installations;
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
    private const string ExitCodes = """
        0  the snapshot is complete
        1  nothing was stored, and earlier snapshots are as they were
        2  wrong usage or config
        3  a snapshot was stored, but part of it failed, or a store lacks snapshots (the summary says what)
        """;

    /// <summary>The root command: without a verb, it is <c>run</c>.</summary>
    public static RootCommand Root(GlobalOptions options)
    {
        var root = new RootCommand(
            "Backs up the databases of Olympus: one moment, proven readable, encrypted, restorable with stock tools."
        );
        root.Options.Add(options.Quiet);
        root.SetAction((parsed, cancel) => RunAsync(options, parsed, new RunRequest { Prune = true }, cancel));
        return root;
    }

    /// <summary>The nightly job under its name.</summary>
    public static VerbCommand Run(GlobalOptions options)
    {
        var command = new VerbCommand(
            "run",
            "The nightly job, and the default: takes a snapshot of all databases and the roles, copies it into all stores, removes old "
                + "ones"
        )
        {
            Examples = """
                olympus-pgbackup
                0 3 * * *  /usr/local/bin/olympus-pgbackup run --quiet          in the crontab of root
                olympus-pgbackup --config /etc/olympus-pgbackup/config.yaml run --json
                olympus-pgbackup run --expect-loss ciam_kratos.public.old_flows     a migration has dropped it: no alarm
                """,
            ExitCodes = ExitCodes,
        };
        Option<string[]> expected = ExpectedLosses();
        command.Add(expected);
        command.Add(options.Quiet);
        Option<DateTimeOffset?> due = Due();
        command.Add(due);
        command.SetAction(
            (parsed, cancel) =>
                RunAsync(
                    options,
                    parsed,
                    new RunRequest
                    {
                        Prune = true,
                        ExpectedLosses = parsed.GetValue(expected) ?? [],
                        Due = parsed.GetValue(due),
                    },
                    cancel
                )
        );
        return command;
    }

    /// <summary>Only a snapshot, perhaps of some databases.</summary>
    public static Command Backup(GlobalOptions options)
    {
        Option<string[]> databases = VerbOptions.Databases();
        var pin = new Option<string?>("--pin")
        {
            Description = "Keep this snapshot until it is unpinned; the note says why",
            HelpName = "NOTE",
        };
        var command = new VerbCommand("backup", "Takes a snapshot of all databases or some, and copies it into all stores; removes nothing")
        {
            Examples = """
                olympus-pgbackup backup
                olympus-pgbackup backup --pin "before the migration"
                olympus-pgbackup backup --database ciam_kratos      before a migration of it; such a snapshot is incomplete
                """,
            ExitCodes = ExitCodes,
        };
        command.Add(databases);
        command.Add(pin);
        Option<string[]> expected = ExpectedLosses();
        command.Add(expected);
        command.Add(options.Quiet);
        command.SetAction(
            (parsed, cancel) =>
                RunAsync(
                    options,
                    parsed,
                    new RunRequest
                    {
                        Databases = parsed.GetValue(databases),
                        Pin = parsed.GetValue(pin),
                        ExpectedLosses = parsed.GetValue(expected) ?? [],
                    },
                    cancel
                )
        );
        return command;
    }

    // Of `serve`, which several hosts may run.
    private static Option<DateTimeOffset?> Due() =>
        new("--due")
        {
            Description = "Do nothing if there is a complete snapshot of this moment or a later one; wait for a run that is at work",
            HelpName = "TIME",
            Hidden = true,
        };

    private static Option<string[]> ExpectedLosses()
    {
        var option = new Option<string[]>("--expect-loss")
        {
            Description =
                "A database, table (with its columns) or column whose loss a migration brings: it counts as confirmed. May be given "
                + "several times",
            HelpName = "DATABASE[.SCHEMA.TABLE[.COLUMN]]",
        };
        option.Validators.Add(static result =>
        {
            if (result.Tokens.Any(static t => t.Value.Length == 0))
            {
                result.AddError("--expect-loss needs a name, for instance ciam_kratos.public.old_flows.");
            }
        });
        return option;
    }

    private static async Task<int> RunAsync(GlobalOptions options, ParseResult parsed, RunRequest request, CancellationToken cancel)
    {
        bool quiet = parsed.GetValue(options.Quiet);
        if (quiet && parsed.GetValue(options.Json))
        {
            throw new PgBackupException(ErrorCode.Usage, "--quiet and --json exclude each other.", "Choose one.");
        }

        Installation installation = options.ReadForBackup(parsed, cancel);
        if (request.Prune)
        {
            options.TellStart(installation);
        }

        try
        {
            return await TakeAsync(installation, options, parsed, request, cancel);
        }
        catch (NotDueException e)
        {
            Terminal.Message($"note: {e.Taken} is there already: nothing to do");
            return 0;
        }
    }

    private static async Task<int> TakeAsync(
        Installation installation,
        GlobalOptions options,
        ParseResult parsed,
        RunRequest request,
        CancellationToken cancel
    )
    {
        bool quiet = parsed.GetValue(options.Quiet);
        IObjectStore primary = installation.Store().Store;
        long start = installation.Clock.GetTimestamp();
        ConcurrentQueue<Finding> said = [];
        RunReport report = quiet
            ? await installation.Run(Warnings(said, installation.Clock)).RunAsync(request, cancel)
            : await ProgressDisplay.ShowAsync(installation.Clock, progress => installation.Run(progress).RunAsync(request, cancel));
        if (quiet)
        {
            ShowProblems(report, said);
        }
        else if (parsed.GetValue(options.Json))
        {
            Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.RunReport));
        }
        else
        {
            Summarise(report, primary, installation.Clock.GetElapsedTime(start));
        }

        if (report.Manifest.Failures.Count > 0)
        {
            return Terminal.Fail(
                new PgBackupException(
                    ErrorCode.BackupIncomplete,
                    $"part of the backup failed: {string.Join(", ", report.Manifest.Failures.Select(static f => f.Part))}.",
                    "The reasons are above and in `olympus-pgbackup show`. What was stored can be restored; `latest` stays the last "
                        + "complete snapshot."
                )
            );
        }

        IEnumerable<string> behind = report.Replicas.Where(static r => r.Code is not null || r.Lacks.Count > 0).Select(static r => r.Store);
        return !report.LacksReplicas
            ? 0
            : Terminal.Fail(
                new PgBackupException(
                    ErrorCode.ReplicaIncomplete,
                    $"the snapshot is whole in {primary.Name}, and not every other store has all it should: "
                        + $"{string.Join(", ", behind)}.",
                    "The reasons are above. The next run copies what is missing, oldest first."
                )
            );
    }

    // Not all that is wrong on the way is in the report: a lock that could not be given back, a rest that could not be removed.
    private static Progress Warnings(ConcurrentQueue<Finding> said, TimeProvider clock) =>
        new()
        {
            Said = step =>
            {
                if (step.Severity >= Severity.Warning)
                {
                    Terminal.Log(FindingText.Of(step), clock);
                    if (step.Finding is { } finding)
                    {
                        said.Enqueue(finding);
                    }
                }
            },
        };

    private static void ShowProblems(RunReport report, IReadOnlyCollection<Finding> said)
    {
        IEnumerable<Finding> wrong = report.Findings.Concat(report.Manifest.Findings).Where(static f => f.Severity >= Severity.Warning);
        FindingText.Message(wrong.Except(said));
        ShowFailures(report.Manifest);
        foreach (ReplicaReport replica in report.Replicas.Where(static r => r.Code is not null || r.Lacks.Count > 0))
        {
            Terminal.Message(Describe(replica));
        }
    }

    private static void ShowFailures(Manifest manifest)
    {
        foreach (PartFailure failure in manifest.Failures)
        {
            Terminal.Message($"FAILED: {failure.Part} ({failure.Code}): {failure.Message}");
        }
    }

    private static void Summarise(RunReport report, IObjectStore store, TimeSpan elapsed)
    {
        Manifest manifest = report.Manifest;
        foreach (string note in manifest.Notes)
        {
            Terminal.Message($"note: {note}");
        }

        FindingText.Message(report.Findings);
        FindingText.Message(manifest.Findings);
        ShowFailures(manifest);

        foreach (ReplicaReport replica in report.Replicas)
        {
            Terminal.Line(Describe(replica));
        }

        foreach (PruneReport pruned in report.Pruned.Where(static p => p.Removed.Count > 0 || p.Swept > 0))
        {
            string swept = pruned.Swept > 0 ? $", and {Words.Count(pruned.Swept, "rest")} of interrupted runs" : "";
            Terminal.Line(
                $"{pruned.Store}: removed {Words.Count(pruned.Removed.Count, "old snapshot")} "
                    + $"({ByteSize.Text(pruned.Plan.BytesFreed)}){swept}"
            );
        }

        int databases = manifest.Databases.Count();
        string what =
            manifest.Failures.Count == 0
                ? (manifest.IsComplete ? "complete" : "done, of some databases only")
                : $"INCOMPLETE, {manifest.Failures.Count} failed";
        string encrypted = manifest.EncryptedBy() switch
        {
            EncryptionKind.None => "NOT encrypted",
            EncryptionKind.Provider => "encrypted by the store",
            _ => $"{manifest.Encryption} to {Words.Count(manifest.Recipients.Count, "recipient")}",
        };
        Terminal.Line(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{manifest.Id} {what}: {databases} "
                    + $"{Words.Noun(databases, "database")}{(manifest.Globals is null ? "" : " and the roles")}, "
                    + $"{manifest.Databases.Sum(static p => p.Proof.Rows):N0} rows, {ByteSize.Text(manifest.StoredBytes)} in "
                    + $"{store.Location}, {encrypted}, skew {manifest.SkewMs:0.0} ms, {Terminal.Span(elapsed.TotalSeconds)}"
            )
        );
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
        string more = replica.Lacks.Count > 5 ? $" and {replica.Lacks.Count - 5} more" : "";
        string lacks = replica.Lacks.Count == 0 ? "" : $"lacks {string.Join(", ", replica.Lacks.Take(5))}{more}";
        string text = string.Join("; ", ((string[])[got, lacks]).Where(static t => t.Length > 0));
        return replica.Code is { } code
            ? $"{where}: {(text.Length > 0 ? text + "; " : "")}FAILED ({code}): {replica.Problem}"
            : $"{where}: {(text.Length > 0 ? text : "nothing to copy")}";
    }
}
