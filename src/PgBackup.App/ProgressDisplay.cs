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
            return await operation(new Progress { Log = Terminal.Log });
        }

        IAnsiConsole console = Terminal.OnError();
        return await console.Progress()
            .AutoClear(true)
            .HideCompleted(false)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 24 }, new BytesColumn(), new TransferSpeedColumn(), new EtaColumn())
            .StartAsync(async context =>
            {
                var progress = new Progress { Log = line => console.WriteLine(line) };
                Task<T> work = operation(progress);
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

            // An estimate may be too small: the bar then stays just below its end until the part really is done.
            bar.MaxValue = Math.Max(Math.Max(1, part.ExpectedBytes), part.Bytes * 1.02);
            bar.Description = $"{Markup.Escape(part.Name)} [grey]{part.State}[/]";
            bar.Value = part.Bytes;
            if (part.State is "done" or "failed" && !bar.IsFinished)
            {
                bar.MaxValue = Math.Max(1, part.Bytes);
                bar.Value = bar.MaxValue;
                bar.StopTask();
            }
        }
    }

    private sealed class BytesColumn : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(ByteSize.Text((long)task.Value), new Style(Color.Grey)).RightJustified();

        public override int? GetColumnWidth(RenderOptions options) => 9;
    }

    private sealed class EtaColumn : ProgressColumn
    {
        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(task.IsFinished || task.RemainingTime is not { } rest || rest > TimeSpan.FromDays(2) ? "" : $"{Terminal.Span(rest.TotalSeconds)} left");

        public override int? GetColumnWidth(RenderOptions options) => 16;
    }
}
