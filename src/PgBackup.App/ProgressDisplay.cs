using System.Globalization;
using PgBackup.Operations;
using Spectre.Console;
using Spectre.Console.Rendering;
using Progress = PgBackup.Operations.Progress;

namespace PgBackup.App;

/// <summary>Shows a long operation: bars with rates and remaining time on a terminal, plain lines elsewhere.</summary>
internal static class ProgressDisplay
{
    /// <summary>Runs an operation that reports to the progress it is given.</summary>
    public static async Task<T> ShowAsync<T>(Func<Progress, Task<T>> operation)
    {
        if (!Terminal.IsInteractive)
        {
            return await Task.Run(() => operation(new Progress { Log = Terminal.Log }));
        }

        IAnsiConsole console = Terminal.OnError();
        return await console.Progress()
            .AutoClear(true)
            .HideCompleted(false)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new TextColumn(33, Bar),
                new TextColumn(9, static task => ByteSize.Text((long)task.Value)),
                new TextColumn(12, static task => task.IsFinished || task.Speed is not { } speed ? "" : ByteSize.Text((long)speed) + "/s"),
                new TextColumn(16, Remaining))
            .StartAsync(async context =>
            {
                var progress = new Progress { Log = line => console.WriteLine(line) };
                Task<T> work = Task.Run(() => operation(progress));
                Dictionary<PartProgress, ProgressTask> bars = [];
                while (!work.IsCompleted)
                {
                    Update(context, progress, bars);
                    await Task.WhenAny(work, Task.Delay(100));
                }

                Update(context, progress, bars);
                return await work;
            });
    }

    private static void Update(ProgressContext context, Progress progress, Dictionary<PartProgress, ProgressTask> bars)
    {
        foreach (PartProgress part in progress.Parts)
        {
            if (!bars.TryGetValue(part, out ProgressTask? bar))
            {
                bars[part] = bar = context.AddTask(Markup.Escape(part.Name), maxValue: Math.Max(1, part.ExpectedBytes));
            }

            if (bar.IsFinished)
            {
                continue;
            }

            // An estimate may be too small: the bar then stays just below its end until the part really is done.
            bar.MaxValue = Math.Max(Math.Max(1, part.ExpectedBytes), part.Bytes * 1.02);
            bar.Description = $"{Markup.Escape(part.Name)} {part.State}";
            bar.Value = part.Bytes;
            if (part.State is "done" or "failed")
            {
                bar.MaxValue = Math.Max(1, part.Bytes);
                bar.Value = bar.MaxValue;
                bar.StopTask();
            }
        }
    }

    // In letters, so that it can be read without colours and without Unicode.
    private static string Bar(ProgressTask task)
    {
        const int Width = 24;
        if (task.MaxValue <= 1)
        {
            return "";
        }

        int filled = (int)(Width * task.Value / task.MaxValue);
        return string.Create(CultureInfo.InvariantCulture, $"[{new string('#', filled)}{new string('.', Width - filled)}] {(int)task.Percentage,3} %");
    }

    private static string Remaining(ProgressTask task) =>
        task.IsFinished || task.MaxValue <= 1 || task.RemainingTime is not { } rest || rest > TimeSpan.FromDays(2) ? "" : $"{Terminal.Span(rest.TotalSeconds)} left";

    private sealed class TextColumn(int width, Func<ProgressTask, string> text) : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) => new Text(text(task)).RightJustified();

        public override int? GetColumnWidth(RenderOptions options) => width;
    }
}
