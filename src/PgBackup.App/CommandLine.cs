using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
using PgBackup.App.Demo;
using PgBackup.App.Render;
using PgBackup.App.Verbs;
using PgBackup.App.Verbs.Keep;
using PgBackup.App.Verbs.Look;
using PgBackup.App.Verbs.Restore;
using PgBackup.App.Verbs.Take;

namespace PgBackup.App;

/// <summary>The command line as a whole: verbs, options that all of them have, signals, errors, exit codes.</summary>
internal static class CommandLine
{
    // Each of some twenty tools at work has its pipes, the streams of stores and the runtime theirs.
    private const int FewestFiles = 256;

    // Measured: the demo, with its tools, fails at 2 GB and works at 3.
    private const ulong LeastAddressSpace = 4UL << 30;
    private const ulong LeastFileSize = 1UL << 20;
    private const int FileTooLarge = 25; // SIGXFSZ: a write beyond `ulimit -f`, which ends a process that does not catch it

    /// <summary>Parses and runs; returns the exit code.</summary>
    /// <param name="arguments">What was typed.</param>
    /// <param name="clock">The time, for all that is done.</param>
    public static async Task<int> RunAsync(string[] arguments, TimeProvider clock)
    {
        Terminal.Forgive();
        var options = new GlobalOptions(clock);
        RootCommand root = Build(options, clock);
        ParseResult parsed = root.Parse(arguments);
        // Help, version and completion are answered whatever else is wrong.
        if (parsed.Errors.Count > 0 && parsed.Action is null or ParseErrorAction)
        {
            string message = string.Join("\n", parsed.Errors.Select(static e => e.Message));
            string verb = parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";
            return Terminal.Fail(
                new PgBackupException(ErrorCode.Usage, message, $"`olympus-pgbackup {verb}--help` shows what can be written.")
            );
        }

        if (parsed.Action is not SynchronousCommandLineAction && Misplaced(parsed, options) is { } misplaced)
        {
            return Terminal.Fail(misplaced);
        }

        if (parsed.Action is not SynchronousCommandLineAction && Confined() is { } confined)
        {
            return Terminal.Fail(confined);
        }

        using var stop = new CancellationTokenSource();
        string signal = "";
        void Handle(PosixSignalContext context)
        {
            context.Cancel = true;
            signal = context.Signal.ToString();
            stop.Cancel();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle);
        // Where it serves, it reads its config again by this one.
        using var hangUp = parsed.CommandResult.Command.Name == "serve" ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, Handle);
        using var quit = PosixSignalRegistration.Create(PosixSignal.SIGQUIT, Handle);
        // The write fails then, with its own words.
        using var tooLarge = PosixSignalRegistration.Create((PosixSignal)FileTooLarge, static context => context.Cancel = true);
        int exitCode = await AnswerAsync(parsed, options, () => signal, stop);
        if (parsed.Action is not SynchronousCommandLineAction)
        {
            await new Aftermath(options, clock).FollowAsync(parsed, exitCode, DoesSomething(parsed, options), stop.Token);
        }

        return exitCode;
    }

    // The exit code of what was asked for; errors are told.
    private static async Task<int> AnswerAsync(ParseResult parsed, GlobalOptions options, Func<string> signal, CancellationTokenSource stop)
    {
        try
        {
            var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return Told(parsed, options, await parsed.InvokeAsync(configuration, stop.Token));
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.Cancelled)
        {
            return Terminal.Fail(new PgBackupException(ErrorCode.Cancelled, $"cancelled by {signal()}: {e.Message}", e.Remedy, e));
        }
        catch (Exception) when (stop.IsCancellationRequested)
        {
            return Terminal.Fail(
                new PgBackupException(
                    ErrorCode.Cancelled,
                    $"cancelled by {signal()}: the tools were ended, and what was half-written was removed.",
                    "Earlier snapshots were not changed."
                )
            );
        }
        catch (PgBackupException e)
        {
            return Terminal.Fail(e);
        }
        catch (Exception e) when (Environment.GetEnvironmentVariable("OLYMPUS_PGBACKUP_DEBUG") is not "1")
        {
            return Terminal.Fail(
                new PgBackupException(
                    ErrorCode.Unexpected,
                    $"an unexpected error: {e.GetType().Name}: {e.Message}",
                    "This is a defect. Run it again with OLYMPUS_PGBACKUP_DEBUG=1 and report what it prints."
                )
            );
        }
    }

    // `--quiet` before a verb that has no such option is parsed as one of the root, and would be ignored.
    private static PgBackupException? Misplaced(ParseResult parsed, GlobalOptions options) =>
        parsed.GetValue(options.Quiet) && !parsed.CommandResult.Command.Options.Contains(options.Quiet)
            ? new PgBackupException(
                ErrorCode.Usage,
                $"`{parsed.CommandResult.Command.Name}` has no --quiet.",
                "run and backup have it; `>/dev/null` silences the result of the others."
            )
            : null;

    // Beyond these limits the runtime ends the process in mid-run, without a word that helps.
    private static PgBackupException? Confined()
    {
        if (CleanStart.OpenFilesLimit() is { } files and < FewestFiles)
        {
            return new PgBackupException(
                ErrorCode.TooFewFiles,
                $"this process may open {files} files, pipes and connections at the same time (ulimit -n); it needs at least "
                    + $"{FewestFiles}.",
                "Raise it where it is started: `ulimit -n 1024` in the script, LimitNOFILE= in a unit of systemd, nofile in "
                    + "/etc/security/limits.conf."
            );
        }

        if (CleanStart.FileSizeLimit() is { } size and < LeastFileSize)
        {
            return new PgBackupException(
                ErrorCode.LimitTooLow,
                $"this process may write files of at most {size} bytes (ulimit -f); even a small manifest, or a journal, may be larger.",
                "Set no such limit where it is started (ulimit -f, LimitFSIZE= in a unit of systemd, fsize in /etc/security/limits.conf)."
            );
        }

        return CleanStart.AddressSpaceLimit() is { } space and < LeastAddressSpace
            ? new PgBackupException(
                ErrorCode.LimitTooLow,
                $"this process may have {space >> 20} MiB of address space (ulimit -v); it needs at least {LeastAddressSpace >> 20}, "
                    + $"of which it uses little.",
                "Set no such limit where it is started (ulimit -v, LimitAS= in a unit of systemd); MemoryMax= limits the memory that "
                    + "is really used."
            )
            : null;
    }

    // What was done stays done, reported or not. But if the output is the only result, its loss is a failure.
    private static int Told(ParseResult parsed, GlobalOptions options, int exitCode)
    {
        if (Terminal.ResultError is not { } why)
        {
            return exitCode;
        }

        if (exitCode == 0 && OnlyTells(parsed, options))
        {
            return Terminal.Fail(
                new PgBackupException(
                    ErrorCode.OutputLost,
                    $"the output could not be written to stdout: {why}.",
                    "Look at the disk, or at the program, that stdout leads to."
                )
            );
        }

        Terminal.Message(
            $"note: the result could not be written to stdout: {why}. This changes nothing about it, nor about the exit code."
        );
        return exitCode;
    }

    private static bool OnlyTells(ParseResult parsed, GlobalOptions options) =>
        parsed.Action is SynchronousCommandLineAction
        || parsed.CommandResult.Command.Name switch
        {
            "status" or "list" or "show" or "diff" or "keys" or "log" or "doctor" or "completion" or "deliver" or "serve" => true,
            "check" => parsed.GetValue(options.Json) && !parsed.GetValue<bool>("--repair"),
            "prune" => parsed.GetValue<bool>("--dry-run"),
            "drill" => parsed.GetValue<bool>("--list") || parsed.GetResult("--show") is not null,
            _ => false,
        };

    // It changes what the stores hold or say. A check leaves a record of what it found.
    private static bool DoesSomething(ParseResult parsed, GlobalOptions options) =>
        parsed.CommandResult.Command.Name == "check" || !OnlyTells(parsed, options);

    /// <summary>All verbs with their options.</summary>
    public static RootCommand Build(GlobalOptions options, TimeProvider clock)
    {
        RootCommand root = BackupVerb.Root(options);
        options.AddTo(root);
        VerbCommand run = BackupVerb.Run(options);
        root.Subcommands.Add(run);
        root.Subcommands.Add(BackupVerb.Backup(options));
        root.Subcommands.Add(StatusVerb.Command(options, new Aftermath(options, clock)));
        root.Subcommands.Add(ListVerb.Command(options));
        root.Subcommands.Add(ShowVerb.Command(options));
        root.Subcommands.Add(DiffVerb.Command(options));
        root.Subcommands.Add(CheckVerb.Command(options));
        root.Subcommands.Add(RestoreVerb.Command(options));
        root.Subcommands.Add(DrillVerb.Command(options));
        root.Subcommands.Add(KeysVerb.Command(options, new Aftermath(options, clock)));
        root.Subcommands.Add(ConfirmVerb.Command(options));
        root.Subcommands.Add(LogVerb.Command(options));
        root.Subcommands.Add(DoctorVerb.Command(options));
        root.Subcommands.Add(ServeVerb.Command(options, clock));
        root.Subcommands.Add(PruneVerb.Command(options));
        root.Subcommands.Add(PinVerb.Pin(options));
        root.Subcommands.Add(PinVerb.Unpin(options));
        root.Subcommands.Add(InitVerb.Command());
        root.Subcommands.Add(DemoVerb.Command(clock));
        root.Subcommands.Add(CompletionVerb.Command());
        root.Subcommands.Add(DeliverVerb.Command(options, clock));
        new Completions(clock).AddTo(root);
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction help } helpOption)
            {
                helpOption.Action = new ExamplesHelpAction(help, run);
            }
        }

        return root;
    }
}
