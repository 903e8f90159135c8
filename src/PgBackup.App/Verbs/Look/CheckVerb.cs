using System.CommandLine;
using System.Text.Json;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Operations;
using PgBackup.Operations.Check;
using PgBackup.Postgres;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>check</c>: is what the manifests promise really there?</summary>
internal static class CheckVerb
{
    /// <summary>The verb.</summary>
    public static Command Command(GlobalOptions options)
    {
        var id = new Argument<string?>("ID") { HelpName = "ID", Description = "A snapshot's id, or latest (the default)", Arity = ArgumentArity.ZeroOrOne };
        id.CompletionSources.Add(static _ => Completions.Snapshots());
        var all = new Option<bool>("--all") { Description = "Every snapshot of the store" };
        var storeName = new Option<string?>("--store") { Description = "Only this store (default: all of the config)", HelpName = "NAME" };
        var readData = new Option<bool>("--read-data") { Description = "Read every stored byte and compare its digest; where a private key is at hand also decrypt and decode (--identity always does)" };
        var repair = new Option<bool>("--repair") { Description = "Copy a good object of another store over each damaged or missing one, and whole snapshots into stores that lack them" };
        var resume = new Option<bool>("--resume") { Description = "Go on with an interrupted check of the same depth: what it found right is not read again" };
        var image = new Option<string?>("--tools-image") { Description = "An image whose pg_restore decodes (default: this host's, if it is of the right version or newer, else the source's container or image)", HelpName = "IMAGE" };
        IdentityOptions identity = new();
        var command = new Command("check", "Are the objects of a snapshot there, whole, and (with an identity) decodable? In every store") { id, all, storeName, readData, repair, resume, image };
        identity.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            if (parsed.GetValue(all) && parsed.GetValue(id) is not null)
            {
                throw new PgBackupException(ErrorCode.Usage, "an ID and --all exclude each other.", "Write one of them.");
            }

            BackupConfig config = Composition.Config(parsed.GetValue(options.Config), cancel);
            Identity? key = identity.Read(parsed);
            var request = new Request
            {
                Snapshot = parsed.GetValue(all) ? null : parsed.GetValue(id) ?? "latest",
                Depth = key is not null ? CheckDepth.Decode : parsed.GetValue(readData) ? CheckDepth.ReadData : CheckDepth.Present,
                Resume = parsed.GetValue(resume),
                Repair = parsed.GetValue(repair),
                Image = parsed.GetValue(image),
            };
            IReadOnlyList<BackupStore> stores = Composition.Stores(config, parsed.GetValue(storeName));
            CheckReport report = await CheckAsync(config, stores, request, key, cancel);
            if (parsed.GetValue(options.Json))
            {
                Terminal.Line(JsonSerializer.Serialize(report, AppJson.Readable.CheckReport));
            }
            else
            {
                Show(report, request.Depth, stores.Count > 1);
            }

            return report.IsRight ? 0 : 1;
        });
        return ExamplesHelpAction.Describe(
            command,
            """
            olympus-pgbackup check                                   presence and sizes of the newest snapshot, in every store
            olympus-pgbackup check --all --read-data --store offsite every byte of every snapshot of one store
            olympus-pgbackup check --all --read-data --repair        and mend what another store has a good copy of
            olympus-pgbackup check latest --identity ~/key.txt       decrypts and decodes it, down to the proof
            """,
            """
            0  everything that was looked at is right
            1  something is damaged, missing or was mended, a store lacks snapshots, or the identity does not decrypt it
            2  wrong usage or config
            """);
    }

    private static async Task<CheckReport> CheckAsync(BackupConfig config, IReadOnlyList<BackupStore> stores, Request request, Identity? key, CancellationToken cancel)
    {
        // A store that has seen an upgrade holds dumps of several versions.
        Dictionary<int, FoundTools> tools = [];
        using var one = new SemaphoreSlim(1, 1);
        async Task<PostgresTools> ToolsForAsync(int major, CancellationToken c)
        {
            await one.WaitAsync(c);
            try
            {
                if (!tools.TryGetValue(major, out FoundTools? found))
                {
                    tools[major] = found = await Composition.ToolsToReadAsync(config, major, request.Image, c);
                }

                return found.Tools;
            }
            finally
            {
                one.Release();
            }
        }

        using CheckJournal? journal = request.Depth == CheckDepth.Present ? null : CheckJournal.Open(JournalFile(config), request.Resume);
        if (request.Resume && journal is { Remembered: > 0 })
        {
            Terminal.Message($"going on: {journal.Remembered} objects were found right before");
        }

        try
        {
            return await ProgressDisplay.ShowAsync(async progress =>
            {
                var survey = new StoresCheck(stores, config.Cluster, TimeProvider.System, store => new CheckOperation(
                    store, manifest => Composition.CipherFor(manifest, config, key), ToolsForAsync, progress)
                {
                    Journal = journal,
                });
                CheckReport report = await survey.RunAsync(request.Snapshot, request.Depth, cancel);
                if (request.Repair && !(report.IsRight && report.OnlyInReplicas.Count == 0))
                {
                    string holder = $"check --repair, process {Environment.ProcessId} on {Environment.MachineName}";
                    // Good copies may lie in stores that were not asked about.
                    IReadOnlyList<BackupStore> all = Composition.Stores(config);
                    var gaps = new GapRepair(all, TimeProvider.System, progress);
                    report = report with
                    {
                        Snapshots = await new RepairOperation(all, progress).RunAsync(report.Snapshots, holder, cancel),
                        Gaps = await gaps.RunAsync(report.Gaps, report.Snapshots, holder, cancel),
                        StoreProblems = await new CanaryRepair(all).RunAsync(report.StoreProblems, holder, cancel),
                        OnlyInReplicas = await gaps.RunAsync(report.OnlyInReplicas, report.Snapshots, holder, cancel),
                    };
                }

                journal?.Finish();
                return report;
            });
        }
        finally
        {
            foreach (FoundTools found in tools.Values)
            {
                await found.DisposeAsync();
            }
        }
    }

    private static string JournalFile(BackupConfig config)
    {
        string state = Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state");
        return Path.Combine(state, "olympus-pgbackup", $"check-{config.Cluster}");
    }

    private static void Show(CheckReport report, CheckDepth depth, bool severalStores)
    {
        foreach (SnapshotCheck result in report.Snapshots)
        {
            string how = result.Decoded ? $"{ByteSize.Text(result.BytesRead)} read, decrypted and decoded, equal to the proof"
                : depth != CheckDepth.Present ? $"{ByteSize.Text(result.BytesRead)} read, digests right (not decrypted: no usable private key here)"
                : "present, sizes right (--read-data reads every byte)";
            string incomplete = result.IsComplete || result.Problems.Count > 0 ? "" : " (an incomplete snapshot)";
            string name = severalStores ? $"{result.Id} in {result.Store}" : result.Id;
            Terminal.Line(result.Problems.Count == 0 ? $"{name} ok: {how}{incomplete}"
                : result.IsOfNewerVersion ? $"{name} NOT CHECKED (PGB-0064):" : $"{name} DAMAGED:");
            foreach (ObjectProblem problem in result.Problems)
            {
                string copies = problem.RepairedFrom is { } from ? $"; copied again from {from}"
                    : result.IsOfNewerVersion ? ""
                    : problem.Mended is { } mended ? $"; {mended}"
                    : problem.GoodCopies.Count > 0 ? $"; {(depth == CheckDepth.Present ? "one of the right size (not read)" : "a good copy")} is in {string.Join(", ", problem.GoodCopies)}"
                    : severalStores ? "; no other store has a good copy" : "";
                Terminal.Line($"  {problem.Object}: {problem.Problem}{copies}");
            }

            foreach (string note in result.Notes)
            {
                Terminal.Line($"  note: {note}");
            }
        }

        foreach (StoreProblem problem in report.StoreProblems)
        {
            Terminal.Line($"{problem.Store}: {problem.Object}: {problem.Problem}{(problem.Mended is { } mended ? $"; {mended}" : "")}");
        }

        foreach (StoreGap gap in report.Gaps)
        {
            Terminal.Line(gap.Problem is { } problem
                ? $"{gap.Store} could not be checked: {problem}"
                : $"{Lacks(gap)}; {(gap.Filled.Count + gap.NotFilled.Count == 0 ? $"the next run copies {(gap.Missing.Count == 1 ? "it" : "them")}" : Filled(gap))}");
        }

        foreach (StoreGap gap in report.OnlyInReplicas)
        {
            Terminal.Line($"{Lacks(gap)}; only replicas have {(gap.Missing.Count == 1 ? "it" : "them")}; " +
                (gap.Filled.Count + gap.NotFilled.Count == 0 ? "runs copy from the first store alone, --repair copies from any (not a failure by itself)" : Filled(gap)));
        }

        foreach (string warning in report.KeyWarnings)
        {
            Terminal.Line($"note: {warning}");
        }

        if (report.Snapshots.Count == 0 && report.Gaps.Count == 0)
        {
            Terminal.Line("There are no snapshots to check.");
        }
        else if (report.Snapshots.Any(static s => s.Problems.Any(static p => p.GoodCopies.Count > 0 && p.RepairedFrom is null && p.Mended is null)))
        {
            Terminal.Line("--repair copies the good ones over the damaged.");
        }
    }

    private static string Lacks(StoreGap gap) =>
        $"{gap.Store} lacks {gap.Missing.Count} snapshot{(gap.Missing.Count == 1 ? "" : "s")} that its rules would keep, the newest {gap.Missing[^1]}";

    private static string Filled(StoreGap gap) =>
        (gap.Filled.Count == 0 ? "none copied" : $"{(gap.Filled.Count == gap.Missing.Count ? "copied" : $"{gap.Filled.Count} copied")} now, from {string.Join(", ", gap.Filled.Select(static f => f.From).Distinct())}") +
        string.Concat(gap.NotFilled.Select(static p => $"\n  NOT REPAIRED: {p}"));

    private sealed record Request
    {
        public required string? Snapshot { get; init; }

        public required CheckDepth Depth { get; init; }

        public required bool Resume { get; init; }

        public required bool Repair { get; init; }

        public required string? Image { get; init; }
    }
}
