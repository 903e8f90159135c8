using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Runtime.InteropServices;
using PgBackup.App.Verbs;

namespace PgBackup.App;

/// <summary>The command line as a whole: verbs, options that all of them have, signals, errors, exit codes.</summary>
internal static class CommandLine
{
    /// <summary>Parses and runs; returns the exit code.</summary>
    public static async Task<int> RunAsync(string[] arguments)
    {
        var options = new GlobalOptions();
        RootCommand root = Build(options);
        ParseResult parsed = root.Parse(arguments);
        // Help, version and completion are answered whatever else is wrong.
        if (parsed.Errors.Count > 0 && parsed.Action is null or ParseErrorAction)
        {
            string message = string.Join("\n", parsed.Errors.Select(static e => e.Message));
            string verb = parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";
            return Terminal.Fail(new PgBackupException(ErrorCode.Usage, message, $"`olympus-pgbackup {verb}--help` shows what can be written."));
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
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Handle);
        using var quit = PosixSignalRegistration.Create(PosixSignal.SIGQUIT, Handle);
        try
        {
            var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
            return await parsed.InvokeAsync(configuration, stop.Token);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.Cancelled)
        {
            return Terminal.Fail(new PgBackupException(ErrorCode.Cancelled, $"cancelled by {signal}: {e.Message}", e.Remedy, e));
        }
        catch (Exception) when (stop.IsCancellationRequested)
        {
            return Terminal.Fail(new PgBackupException(
                ErrorCode.Cancelled, $"cancelled by {signal}: the tools were ended, and what was half-written was removed.", "Earlier snapshots are as they were."));
        }
        catch (PgBackupException e)
        {
            return Terminal.Fail(e);
        }
        catch (Exception e) when (Environment.GetEnvironmentVariable("OLYMPUS_PGBACKUP_DEBUG") is not "1")
        {
            return Terminal.Fail(new PgBackupException(
                ErrorCode.Unexpected, $"an error that nobody foresaw: {e.GetType().Name}: {e.Message}", "This is a defect. Run it again with OLYMPUS_PGBACKUP_DEBUG=1 and report what it prints."));
        }
    }

    private static RootCommand Build(GlobalOptions options)
    {
        RootCommand root = BackupVerb.Root(options);
        options.AddTo(root);
        root.Subcommands.Add(BackupVerb.Run(options));
        root.Subcommands.Add(BackupVerb.Backup(options));
        root.Subcommands.Add(ListVerb.Command(options));
        root.Subcommands.Add(ShowVerb.Command(options));
        root.Subcommands.Add(DiffVerb.Command(options));
        root.Subcommands.Add(CheckVerb.Command(options));
        root.Subcommands.Add(RestoreVerb.Command(options));
        root.Subcommands.Add(DrillVerb.Command(options));
        root.Subcommands.Add(KeysVerb.Command(options));
        root.Subcommands.Add(PruneVerb.Command(options));
        root.Subcommands.Add(PinVerb.Pin(options));
        root.Subcommands.Add(PinVerb.Unpin(options));
        root.Subcommands.Add(InitVerb.Command());
        root.Subcommands.Add(DemoVerb.Command());
        root.Subcommands.Add(CompletionVerb.Command());
        foreach (Option option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction help } helpOption)
            {
                helpOption.Action = new ExamplesHelpAction(help);
            }
        }

        return root;
    }
}
