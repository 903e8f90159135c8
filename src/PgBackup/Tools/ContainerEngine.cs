using System.Globalization;

namespace PgBackup.Tools;

/// <summary>podman or docker on this host.</summary>
public sealed class ContainerEngine(string program)
{
    /// <summary>The label of everything this program starts in containers, so that leftovers can be found.</summary>
    public const string Label = "olympus-pgbackup";

    /// <summary>The program's name.</summary>
    public string Program => program;

    /// <summary>The first of podman and docker that works here, or null.</summary>
    public static async Task<ContainerEngine?> FindAsync(CancellationToken cancel)
    {
        foreach (string candidate in (string[])["podman", "docker"])
        {
            try
            {
                ToolResult result = await ToolProcess.TryReadAsync(new ToolCommand(candidate, "ps", "--quiet"), cancel);
                if (result.ExitCode == 0)
                {
                    return new ContainerEngine(candidate);
                }
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
            {
                // not this one
            }
        }

        return null;
    }

    /// <summary>The running containers whose name or image speaks of Postgres: the name, and the image. None where the engine is missing or fails.</summary>
    public async Task<IReadOnlyList<(string Name, string Image)>> PostgresAsync(CancellationToken cancel)
    {
        try
        {
            ToolResult result = await ToolProcess.TryReadAsync(new ToolCommand(program, "ps", "--format", "{{.Names}}\t{{.Image}}\t{{.Labels}}"), cancel);
            return
            [
                .. from line in result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                   let fields = line.Split('\t')
                   where fields.Length == 3 && !fields[2].Contains($"{Label}:scratch", StringComparison.Ordinal) && !fields[2].Contains($"{Label}=scratch", StringComparison.Ordinal) && ((string[])["postg", "pg", "timescale"]).Any(w => line.Contains(w, StringComparison.OrdinalIgnoreCase))
                   select (fields[0], fields[1]),
            ];
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
        {
            return [];
        }
    }

    /// <summary>How long an answer of the engine is waited for; a loaded machine takes seconds.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Checks that a container exists and runs, and returns the process id of its first process on this host.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ContainerUnavailable"/> or <see cref="ErrorCode.ToolMissing"/>.</exception>
    public async Task<string> RequireRunningAsync(string container, CancellationToken cancel)
    {
        ToolResult result;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(Patience);
        try
        {
            result = await ToolProcess.TryReadAsync(
                new ToolCommand(program, "container", "inspect", "--format", "{{.State.Status}} {{.State.Pid}}", container), limit.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                string.Create(CultureInfo.InvariantCulture, $"{program} says nothing of the container \"{container}\" within {Patience.TotalSeconds:0} s."),
                $"Try `{program} ps`. If that hangs too, the engine or its disk hangs.");
        }

        if (result.ExitCode != 0)
        {
            string words = Quotation.Joined(result.Errors, 2, " ");
            throw IsUnknown(words)
                ? new PgBackupException(
                    ErrorCode.ContainerUnavailable,
                    $"{program} knows no container \"{container}\": {words}",
                    $"`{program} ps --all` lists the containers of this user; those of another user (root, or rootless) are not seen.")
                : new PgBackupException(
                    ErrorCode.ContainerUnavailable,
                    $"{program} does not work here, and says nothing of the container \"{container}\": {words}",
                    $"Try `{program} ps`. A /dev/shm or a disk of containers that is full or read-only is a usual reason.");
        }

        string[] state = result.Output.Trim().Split(' ');
        return state is ["running", string pid]
            ? pid
            : throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                $"the container \"{container}\" is not running (its state is \"{state[0]}\").",
                state[0] == "paused" ? $"Let it go on: {program} unpause {ShellText.Word(container)}" : $"Start it: {program} start {ShellText.Word(container)}");
    }

    // podman: "no such container", 4.3 also "no container with name or ID ... found"; docker: "No such container".
    private static bool IsUnknown(string words) =>
        words.Contains("no such", StringComparison.OrdinalIgnoreCase) || words.Contains("no container with", StringComparison.OrdinalIgnoreCase);
}
