using System.Globalization;

namespace PgBackup.Tools;

/// <summary>podman or docker on this host.</summary>
/// <param name="program">The program's name.</param>
/// <param name="clock">The time of all waiting for it, and for what runs in its containers.</param>
public sealed class ContainerEngine(string program, TimeProvider clock)
{
    /// <summary>The label of everything this program starts in containers, so that leftovers can be found.</summary>
    public const string Label = "olympus-pgbackup";

    // How long an answer of the engine is waited for; a loaded machine takes seconds.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>The program's name.</summary>
    public string Program => program;

    /// <summary>The time of all waiting for it, and for what runs in its containers.</summary>
    internal TimeProvider Clock => clock;

    /// <summary>The first of podman and docker that works here, or null.</summary>
    public static async Task<ContainerEngine?> FindAsync(TimeProvider clock, CancellationToken cancel)
    {
        foreach (string candidate in (string[])["podman", "docker"])
        {
            try
            {
                ToolResult result = await ToolProcess.TryReadAsync(new ToolCommand(candidate, "ps", "--quiet"), cancel);
                if (result.ExitCode == 0)
                {
                    return new ContainerEngine(candidate, clock);
                }
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
            {
                // not this one
            }
        }

        return null;
    }

    /// <summary>The running containers, but those that this program started for a while. None where the engine is missing or
    /// fails.</summary>
    public async Task<IReadOnlyList<RunningContainer>> RunningAsync(CancellationToken cancel)
    {
        try
        {
            ToolResult result = await ToolProcess.TryReadAsync(
                new ToolCommand(program, "ps", "--format", "{{.Names}}\t{{.Image}}\t{{.Labels}}"),
                cancel
            );
            return
            [
                .. from line in result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                let fields = line.Split('\t')
                where
                    fields.Length == 3
                    && !fields[2].Contains($"{Label}:scratch", StringComparison.Ordinal)
                    && !fields[2].Contains($"{Label}=scratch", StringComparison.Ordinal)
                select new RunningContainer(fields[0], fields[1], fields[2]),
            ];
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
        {
            return [];
        }
    }

    /// <summary>Checks that a container exists and runs, and returns the process id of its first process on this host.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ContainerUnavailable"/> or <see cref="ErrorCode.ToolMissing"/>.</exception>
    public async Task<string> RequireRunningAsync(string container, CancellationToken cancel)
    {
        ToolResult result;
        using var late = new CancellationTokenSource(Patience, clock);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        try
        {
            result = await ToolProcess.TryReadAsync(
                new ToolCommand(program, "container", "inspect", "--format", "{{.State.Status}} {{.State.Pid}}", container),
                limit.Token
            );
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{program} says nothing of the container \"{container}\" within {Patience.TotalSeconds:0} s."
                ),
                $"Try `{program} ps`. If that hangs too, the engine or its disk hangs."
            );
        }

        if (result.ExitCode != 0)
        {
            string words = Quotation.Joined(result.Errors, 2, " ");
            throw IsUnknown(words)
                ? new PgBackupException(
                    ErrorCode.ContainerUnavailable,
                    $"{program} knows no container \"{container}\": {words}",
                    $"`{program} ps --all` lists the containers of this user; those of another user (root, or rootless) are not seen."
                )
                : new PgBackupException(
                    ErrorCode.ContainerUnavailable,
                    $"{program} does not work here, and says nothing of the container \"{container}\": {words}",
                    $"Try `{program} ps`. A /dev/shm or a disk of containers that is full or read-only is a usual reason."
                );
        }

        string[] state = result.Output.Trim().Split(' ');
        return state is ["running", string pid]
            ? pid
            : throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                $"the container \"{container}\" is not running (its state is \"{state[0]}\").",
                state[0] == "paused"
                    ? $"Resume it: {program} unpause {ShellText.Word(container)}"
                    : $"Start it: {program} start {ShellText.Word(container)}"
            );
    }

    /// <summary>What a container was made of: its environment, and where its files lie on this host. Null where the engine says nothing of
    /// it.</summary>
    public async Task<ContainerFacts?> LookAsync(string container, CancellationToken cancel)
    {
        try
        {
            ToolResult result = await ToolProcess.TryReadAsync(new ToolCommand(program, "container", "inspect", container), cancel);
            return result.ExitCode == 0 ? ContainerFacts.Read(result.Output) : null;
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
        {
            return null;
        }
    }

    /// <summary>Whether an image is on this host, so that it need not be pulled.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolMissing"/>: there is no such engine.</exception>
    public async Task<bool> HasImageAsync(string image, CancellationToken cancel) =>
        (await ToolProcess.TryReadAsync(new ToolCommand(program, "image", "inspect", "--format", "{{.Id}}", image), cancel)).ExitCode == 0;

    /// <summary>The folder of this host in which the engine keeps volumes.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ContainerUnavailable"/>: the engine does not work;
    /// <see cref="ErrorCode.ToolMissing"/>.</exception>
    public async Task<string> DataFolderAsync(CancellationToken cancel)
    {
        ToolResult? result = null;
        foreach (string field in (string[])["{{.Store.VolumePath}}", "{{.DockerRootDir}}"]) // podman's, docker's
        {
            result = await ToolProcess.TryReadAsync(new ToolCommand(program, "info", "--format", field), cancel);
            if (result.ExitCode == 0 && result.Output.Trim() is ['/', ..] folder)
            {
                return folder;
            }
        }

        throw new PgBackupException(
            ErrorCode.ContainerUnavailable,
            $"{program} does not work here: {Quotation.Joined(result!.Errors, 2, " ")}",
            $"Try `{program} info`. A /dev/shm or a disk of containers that is full or read-only is a usual reason."
        );
    }

    // podman: "no such container", 4.3 also "no container with name or ID ... found"; docker: "No such container".
    private static bool IsUnknown(string words) =>
        words.Contains("no such", StringComparison.OrdinalIgnoreCase)
        || words.Contains("no container with", StringComparison.OrdinalIgnoreCase);
}

/// <summary>A container that runs.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Image">Its image.</param>
/// <param name="Labels">Its labels, in one text.</param>
public sealed record RunningContainer(string Name, string Image, string Labels);
