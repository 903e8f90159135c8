using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Spectre.Console;

namespace PgBackup.App.Render;

/// <summary>
/// Everything that is written for people. Results go to stdout; messages, progress and errors to stderr. Control characters of what is
/// quoted (a name in a manifest, a tool's last words) are shown, and never reach the terminal, which might obey them.
/// </summary>
internal static partial class Terminal
{
    private static readonly ForgivingWriter Results = new(Console.Out);
    private static readonly ForgivingWriter Messages = new(Console.Error);

    /// <summary>From here on, a write to stdout or stderr never throws; <see cref="ResultError"/> has the error.</summary>
    public static void Forgive()
    {
        Console.SetOut(Results);
        Console.SetError(Messages);
    }

    /// <summary>Why the result is not on stdout as a whole; null if it is, or nobody reads it any more.</summary>
    public static string? ResultError => Results.Error?.Message.TrimEnd('.');

    /// <summary>Someone is looking at stderr: progress may move.</summary>
    public static bool IsInteractive =>
        !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    /// <summary>A line of the result.</summary>
    public static void Line(string text = "") => Results.WriteLine(Harmless(text));

    /// <summary>A message beside the result.</summary>
    public static void Message(string text) => Messages.WriteLine(Harmless(text));

    /// <summary>Someone can answer a question.</summary>
    public static bool CanAsk => !Console.IsInputRedirected;

    /// <summary>
    /// Lets gpg-agent ask for a passphrase at our terminal, which gpg cannot find by itself, as its input is a pipe. Nothing changes where
    /// the variable is set already, or nobody can answer.
    /// </summary>
    public static void LendToPinentry()
    {
        if (
            CanAsk
            && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("GPG_TTY"))
            && File.ResolveLinkTarget("/proc/self/fd/0", returnFinalTarget: false) is { } tty
        )
        {
            Environment.SetEnvironmentVariable("GPG_TTY", tty.FullName);
        }
    }

    /// <summary>Someone sees the questions, too.</summary>
    public static bool CanTalk => CanAsk && !Console.IsErrorRedirected;

    /// <summary>
    /// Asks on stderr, always before anything is changed; the answer is a line of the terminal, or null at its end. The read itself cannot
    /// be cancelled: it is left behind on its thread, and ends with the process.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Cancelled"/>.</exception>
    public static async Task<string?> AskAsync(string question, CancellationToken cancel)
    {
        await Messages.WriteAsync(Harmless(question));
        try
        {
            return await Task.Run(ReadLine, CancellationToken.None).WaitAsync(cancel);
        }
        catch (OperationCanceledException e)
        {
            Message("");
            throw new PgBackupException(ErrorCode.Cancelled, "nothing was changed.", null, e);
        }
    }

    // By the terminal's own line editing: Console.In would write control sequences into stdout, which may be redirected.
    private static string? ReadLine()
    {
        using var typed = new StreamReader(
            "/dev/stdin",
            new UTF8Encoding(false),
            false,
            new FileStreamOptions { Access = FileAccess.Read, BufferSize = 0 }
        );
        return typed.ReadLine();
    }

    /// <summary>A message with the time before it, for logs of cron and systemd.</summary>
    public static void Log(string text, TimeProvider clock) =>
        Message($"{clock.GetUtcNow().ToString("HH:mm:ss", CultureInfo.InvariantCulture)}Z {InOneLine(text)}");

    /// <summary>The last error that was shown; null for none.</summary>
    public static PgBackupException? Failure { get; private set; }

    /// <summary>Shows an error and returns its exit code.</summary>
    public static int Fail(PgBackupException error)
    {
        Failure = error;
        Message($"olympus-pgbackup: {error.CodeText}: {Continued(error.Message)}");
        if (error.Remedy is { } remedy)
        {
            Message($"  what to do: {Continued(remedy)}");
        }

        return error.ExitCode;
    }

    /// <summary>The text with its lines after the first indented: a line end in a name that is quoted must not begin a line that looks like
    /// one of ours.</summary>
    public static string Continued(string text) => LineStart().Replace(text, "\n  ");

    [GeneratedRegex(@"\n(?=[^\s])")]
    private static partial Regex LineStart();

    /// <summary>The text with nothing in it that a terminal obeys.</summary>
    public static string Harmless(string text) => Foreign.Text(text);

    /// <summary>The same, in one line.</summary>
    public static string InOneLine(string text) => Foreign.Line(text);

    /// <summary>A console of Spectre on stderr, for tables and progress.</summary>
    public static IAnsiConsole OnError() => AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });

    /// <summary>A table on stdout: columns padded, numbers to the right, no lines, so that it can be read and cut by tools.</summary>
    public static void Table(
        IReadOnlyList<string> headers,
        IReadOnlyList<IReadOnlyList<string>> rows,
        params IReadOnlyList<int> rightAligned
    )
    {
        string[][] lines = [.. rows.Prepend(headers).Select(static row => row.Select(InOneLine).ToArray())];
        int[] widths = [.. headers.Select((_, i) => lines.Max(line => line[i].Length))];
        foreach (string[] row in lines)
        {
            IEnumerable<string> cells = row.Select(
                (cell, i) => rightAligned.Contains(i) ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i])
            );
            Line(string.Join("  ", cells).TrimEnd());
        }
    }

    /// <summary>How many columns a screen has on which people read stdout; 100 where it is no terminal.</summary>
    public static int Columns
    {
        get
        {
            try
            {
                return Console.IsOutputRedirected ? UsualColumns : Math.Clamp(Console.WindowWidth, FewestColumns, UsualColumns + 20);
            }
            catch (IOException)
            {
                return UsualColumns;
            }
        }
    }

    private const int UsualColumns = 100;
    private const int FewestColumns = 70;

    /// <summary>How long ago, in the largest unit that fits: <c>5 h</c>.</summary>
    public static string Age(TimeSpan age) => Words.Age(age);

    /// <summary>A length of time: <c>3.4 s</c>, <c>4 min 12 s</c>.</summary>
    public static string Span(double seconds) =>
        seconds < 100
            ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0.0} s")
            : string.Create(CultureInfo.InvariantCulture, $"{(int)seconds / 60} min {(int)seconds % 60} s");
}
