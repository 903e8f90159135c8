using System.Globalization;
using PgBackup.Host;
using PgBackup.Operations;
using Spectre.Console;
using Spectre.Console.Rendering;
using Progress = PgBackup.Operations.Progress;

namespace PgBackup.App.Render;

/// <summary>Shows a long operation: bars with rates and remaining time on a terminal, plain lines elsewhere.</summary>
internal static class ProgressDisplay
{
    /// <summary>For an operation that is done in a moment: what it finds is printed as a message.</summary>
    public static Progress Plain { get; } = new() { Said = static step => Terminal.Message(FindingText.Of(step)) };

    /// <summary>Runs an operation that reports to the progress it is given.</summary>
    public static async Task<T> ShowAsync<T>(TimeProvider clock, Func<Progress, Task<T>> operation)
    {
        if (!Terminal.IsInteractive)
        {
            return await Task.Run(() => operation(new Progress { Said = step => Terminal.Log(FindingText.Of(step), clock) }));
        }

        IAnsiConsole console = Terminal.OnError();
        var lines = new LineColumn();
        return await console
            .Progress()
            .AutoClear(true)
            .HideCompleted(false)
            .Columns(lines)
            .StartAsync(async context =>
            {
                var progress = new Progress { Said = step => WriteAbove(console, Terminal.InOneLine(FindingText.Of(step))) };
                Task<T> work = Task.Run(() => operation(progress));
                Dictionary<PartProgress, ProgressTask> bars = [];
                while (!work.IsCompleted)
                {
                    Update(context, progress, bars, lines);
                    await Task.WhenAny(work, Task.Delay(TimeSpan.FromMilliseconds(100), clock));
                }

                Update(context, progress, bars, lines);
                return await work;
            });
    }

    private static void Update(ProgressContext context, Progress progress, Dictionary<PartProgress, ProgressTask> bars, LineColumn lines)
    {
        foreach (PartProgress part in progress.Parts)
        {
            if (!bars.TryGetValue(part, out ProgressTask? bar))
            {
                bars[part] = bar = context.AddTask(Markup.Escape(Terminal.InOneLine(part.Name)), maxValue: Math.Max(1, part.ExpectedBytes));
            }

            if (bar.IsFinished)
            {
                continue;
            }

            // An estimate may be too small: the bar then stays just below its end until the part really is done.
            bar.MaxValue = Math.Max(Math.Max(1, part.ExpectedBytes), part.Bytes * 1.02);
            string name = $"{Terminal.InOneLine(part.Name)} {part.State.Word()}";
            bar.Description = Markup.Escape(name);
            lines.NameWidth = Math.Max(lines.NameWidth, name.Length);
            bar.Value = part.Bytes;
            if (part.State is PartState.Done or PartState.Failed)
            {
                bar.MaxValue = Math.Max(1, part.Bytes);
                bar.Value = bar.MaxValue;
                bar.StopTask();
            }
        }
    }

    // Spectre writes over the first lines of the display without erasing them: what is written must fill its lines.
    private static void WriteAbove(IAnsiConsole console, string text) =>
        console.WriteLine(string.Join('\n', Folded(text, Math.Max(1, console.Profile.Width - 1))));

    /// <summary>A text in lines of one width, broken between words where that is possible, and filled with spaces.</summary>
    internal static IEnumerable<string> Folded(string text, int width)
    {
        for (string rest = text; rest.Length > 0; )
        {
            int blank = rest.Length <= width ? -1 : rest.LastIndexOf(' ', width);
            int end = blank > 0 ? blank : Math.Min(rest.Length, width);
            yield return rest[..end].PadRight(width);
            rest = rest[end..].TrimStart(' ');
        }
    }

    /// <summary>
    /// What a task shows in a terminal of a width: with less room first the rate goes, then the bar, then the time; the name is cut last.
    /// A line that wrapped would spoil the display, which is redrawn in place.
    /// </summary>
    internal static string Line(string name, int nameWidth, int width, ProgressTask task)
    {
        string size = ByteSize.Text((long)task.Value).PadLeft(9);
        string percent = $"{Percentage(task), 5}";
        string rate = (task.IsFinished || task.Speed is not { } speed ? "" : ByteSize.Text((long)speed) + "/s").PadLeft(12);
        string left = Remaining(task).PadLeft(16);
        string[] choices =
        [
            $"{Bar(task), 32} {size} {rate} {left}",
            $"{Bar(task), 32} {size} {left}",
            $"{percent} {size} {left}",
            $"{percent} {size}",
        ];
        string rest = choices.FirstOrDefault(choice => nameWidth + 1 + choice.Length <= width) ?? choices[^1];
        int room = Math.Clamp(width - rest.Length - 1, 0, nameWidth);
        string line = $"{(name.Length > room ? name[..room] : name).PadRight(room)} {rest}";
        return line.Length > width ? line[..width] : line;
    }

    // In letters, so that it can be read without colours and without Unicode.
    private static string Bar(ProgressTask task)
    {
        const int Width = 24;
        int filled = (int)(Width * task.Value / task.MaxValue);
        return task.MaxValue <= 1 ? "" : $"[{new string('#', filled)}{new string('.', Width - filled)}] {Percentage(task), 5}";
    }

    private static string Percentage(ProgressTask task) =>
        task.MaxValue <= 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"{(int)task.Percentage} %");

    private static string Remaining(ProgressTask task) =>
        task.IsFinished || task.MaxValue <= 1 || task.RemainingTime is not { } rest || rest > TimeSpan.FromDays(2)
            ? ""
            : $"{Terminal.Span(rest.TotalSeconds)} left";

    private sealed class LineColumn : ProgressColumn
    {
        /// <summary>The length of the longest name, to which all are padded.</summary>
        public int NameWidth { get; set; }

        /// <inheritdoc/>
        protected override bool NoWrap => true;

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            // Characters may be two columns wide.
            new Text(Line(Markup.Remove(task.Description), NameWidth, Width(options), task)).Overflow(Overflow.Crop);

        public override int? GetColumnWidth(RenderOptions options) => Width(options);

        // The last column stays free: some terminals wrap when it is written.
        private static int Width(RenderOptions options) => Math.Max(1, options.ConsoleSize.Width - 1);
    }
}
