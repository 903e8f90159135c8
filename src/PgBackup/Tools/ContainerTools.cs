using System.Globalization;

namespace PgBackup.Tools;

/// <summary>
/// Tools inside a container: one that runs already (its Postgres server), or a throw-away one of an image with the right client.
/// Disposing it ends every tool that it started, and the throw-away container.
/// </summary>
public sealed class ContainerTools : ToolHost, IAsyncDisposable
{
    // A loaded machine takes seconds for an exec. An image is pulled first.
    private static readonly TimeSpan EnterTime = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan PullTime = TimeSpan.FromMinutes(30);

    private readonly ContainerEngine engine;
    private readonly string container;
    private readonly ContainerShell? shell;
    private readonly string inMemory;
    private readonly string onDisk;
    private ContainerSurroundings surroundings = ContainerSurroundings.Unknown;

    private ContainerTools(ContainerEngine engine, string container, ContainerShell? shell, string folder, string place)
    {
        inMemory = folder;
        onDisk = ContainerScript.ScratchOf(folder);
        this.engine = engine;
        this.container = container;
        this.shell = shell;
        Place = place;
    }

    /// <inheritdoc/>
    public override string Place { get; }

    /// <summary>The container's name.</summary>
    public string Container => container;

    /// <summary><c>podman</c> or <c>docker</c>.</summary>
    public string EngineProgram => engine.Program;

    /// <summary>Enters a running container.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ContainerUnavailable"/>.</exception>
    public static async Task<ContainerTools> EnterAsync(ContainerEngine engine, string container, CancellationToken cancel)
    {
        // The engine's client takes a tenth of a second for each: side by side.
        Task<string> running = engine.RequireRunningAsync(container, cancel);
        string folder = $"/dev/shm/olympus-pgbackup-exec-{Guid.NewGuid():N}";
        ToolProcess exec = ToolProcess.Start(
            new ToolCommand(engine.Program, ["exec", "--interactive", container, "sh", .. ContainerScript.Arguments(folder, 10)]).Named(
                $"{engine.Program} exec {container}"
            )
        );
        ContainerShell? shell = null;
        try
        {
            shell = await ContainerShell.OpenAsync(
                exec,
                async _ => $"/proc/{await running}/root{folder}",
                () => EndScriptAsync(engine, container, folder),
                EnterTime,
                engine.Clock,
                cancel
            );
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.ContainerUnavailable)
        {
            await exec.DisposeAsync(); // no sh, or nowhere to put the pipes: each tool by an exec of its own then
            await running;
        }
        catch
        {
            await exec.DisposeAsync();
            await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // cancelled with us, or at its own limit
            throw;
        }

        var tools = new ContainerTools(engine, container, shell, folder, $"in the container {container}");
        try
        {
            tools.surroundings = await ContainerSurroundings.AskAsync(c => tools.StartAsync(c, cancel), cancel);
            return tools;
        }
        catch
        {
            await tools.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Starts a throw-away container of an image, on the host's network. It lives exactly as long as this process holds its
    /// stdin open: however this process ends, the container ends and removes itself, and every tool in it with it.
    /// </summary>
    /// <param name="engine">podman or docker.</param>
    /// <param name="image">An image with sh and the client tools of Postgres on its PATH.</param>
    /// <param name="files">Files of this host that the tools need (a CA certificate), seen there under the same path.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ContainerUnavailable"/>.</exception>
    public static async Task<ContainerTools> StartAsync(
        ContainerEngine engine,
        string image,
        IEnumerable<string> files,
        CancellationToken cancel
    )
    {
        string name = $"olympus-pgbackup-tools-{Guid.NewGuid():N}"[..40];
        string folder = $"/dev/shm/{name}";
        List<string> arguments =
        [
            "run",
            "--rm",
            "--interactive",
            "--name",
            name,
            "--label",
            ContainerEngine.Label + "=tools",
            "--network",
            "host",
            "--stop-timeout",
            "1",
            "--entrypoint",
            "sh",
        ];
        foreach (string file in files)
        {
            arguments.AddRange(["--volume", $"{file}:{file}:ro"]);
        }

        arguments.Add(image);
        arguments.AddRange(ContainerScript.Arguments(folder, 30));
        ToolProcess run = ToolProcess.Start(new ToolCommand(engine.Program, arguments).Named($"{engine.Program} run {image}"));
        try
        {
            ContainerShell? shell = await ContainerShell.OpenAsync(
                run,
                async c => $"/proc/{await engine.RequireRunningAsync(name, c)}/root{folder}",
                () => EndScriptAsync(engine, name, folder),
                PullTime,
                engine.Clock,
                cancel
            );
            return shell is not null
                ? new ContainerTools(engine, name, shell, folder, $"in a container of the image {image}")
                : throw new PgBackupException(
                    ErrorCode.ContainerUnavailable,
                    $"this user cannot see into a container of {engine.Program} (rootless or remote).",
                    "Run olympus-pgbackup as root, or install the client tools on this host."
                );
        }
        catch (PgBackupException e)
        {
            await run.DisposeAsync();
            throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                $"no container of the image {image} can be started: {e.Message}",
                e.Remedy ?? $"Try it by hand: {engine.Program} run --rm {image} pg_dump --version",
                e
            );
        }
        catch
        {
            await run.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public override Task<ToolProcess> StartAsync(ToolCommand command, CancellationToken cancel) =>
        shell is not null
            ? shell.StartAsync(surroundings.Apply(command), cancel)
            : Task.FromResult(ToolProcess.Start(Exec(surroundings.Apply(command))));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (shell is not null)
        {
            await shell.DisposeAsync();
        }
    }

    /// <inheritdoc/>
    public override async Task<bool> CanStageInMemoryAsync(long size, CancellationToken cancel) =>
        shell is not null && await FreeInMemoryAsync(cancel) > size * 2;

    /// <inheritdoc/>
    public override void RequireStaging()
    {
        if (shell is null)
        {
            throw new PgBackupException(
                ErrorCode.TargetInvalid,
                $"several jobs need a decrypted file in the container {container}, and this user cannot see to it that it is removed "
                    + $"(rootless or remote {engine.Program}).",
                "Leave out --jobs, or run olympus-pgbackup as root."
            );
        }
    }

    /// <inheritdoc/>
    /// <remarks>In the container's /dev/shm if it has room for twice as much, else in its /tmp. The script in the container removes both
    /// when it ends.</remarks>
    public override async Task<StagedFile> StageAsync(Stream content, long size, bool inMemoryOnly, CancellationToken cancel)
    {
        RequireStaging();
        bool fits = await FreeInMemoryAsync(cancel) > size * 2;
        if (inMemoryOnly && !fits)
        {
            throw NoRoom($"in the memory of the container {container}: it was taken by something else meanwhile.", null);
        }

        string scratch = fits ? inMemory : onDisk;
        string path = $"{scratch}/{Guid.NewGuid():N}";
        try
        {
            await WriteAsync(content, scratch, path, cancel);
        }
        catch (Exception e)
        {
            try
            {
                await RemoveAsync(path);
            }
            catch (PgBackupException) when (e is OperationCanceledException || scratch == inMemory)
            {
                // the script in the container removes it, or it goes with the container
            }
            catch (PgBackupException left) when (e is PgBackupException first)
            {
                throw new PgBackupException(first.Code, $"{first.Message} {left.Message}", left.Remedy ?? first.Remedy, first);
            }

            throw;
        }

        return new StagedFile(path, () => RemoveAsync(path));
    }

    private async Task WriteAsync(Stream content, string scratch, string path, CancellationToken cancel)
    {
        await using (
            ToolProcess writer = await StartAsync(
                new ToolCommand(
                    "sh",
                    "-c",
                    "umask 077; mkdir -p \"$1\" && { [ -e \"$1/owner\" ] || cp \"$3/owner\" \"$1\"; } && exec cat >\"$2\"",
                    "stage",
                    scratch,
                    path,
                    inMemory
                ).Named("cat (into the container)"),
                cancel
            )
        )
        {
            try
            {
                await content.CopyToAsync(writer.Input, 1 << 20, cancel);
                await writer.Input.DisposeAsync();
            }
            catch (IOException)
            {
                // its own words are better: the container's disk is full, most likely
            }

            if (await writer.WaitAsync(cancel) is not 0 and int exitCode)
            {
                throw NoRoom(
                    $"in {scratch} of the container {container}: {ToolFailure.Of(writer.Command, exitCode, writer.Errors).Message}",
                    null
                );
            }
        }
    }

    private async ValueTask RemoveAsync(string path)
    {
        try
        {
            await using ToolProcess remover = await StartAsync(new ToolCommand("rm", "-f", path), CancellationToken.None);
            await remover.WaitForSuccessAsync(CancellationToken.None);
        }
        catch (PgBackupException e) when (path.StartsWith(onDisk, StringComparison.Ordinal))
        {
            // A container's memory goes with it, its disk does not.
            throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                $"the container {container} is lost, and the decrypted archive {path} may be left in it: {e.Message}",
                $"Remove it: {engine.Program} exec {container} rm -rf {onDisk}; the next run or restore in that container does it too.",
                e
            );
        }
    }

    // Its pipe cannot be opened from here. Should this fail too, the script gives up by itself.
    private static async Task EndScriptAsync(ContainerEngine engine, string container, string folder)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30), engine.Clock);
        try
        {
            await ToolProcess.TryReadAsync(
                new ToolCommand(engine.Program, ["exec", container, "sh", .. ContainerScript.EndArguments(folder)]),
                limit.Token
            );
        }
        catch (OperationCanceledException)
        {
            // as if it had failed
        }
    }

    // Bytes; `df -P` prints a head, and then a line whose fourth field is what is free, in KiB.
    private async Task<long> FreeInMemoryAsync(CancellationToken cancel)
    {
        await using ToolProcess df = await StartAsync(new ToolCommand("df", "-Pk", inMemory), cancel);
        ToolResult result = await df.FinishAsync(null, cancel);
        string[] fields = result.Output.Split('\n').ElementAtOrDefault(1)?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        return
            result.ExitCode == 0
            && fields.Length > 3
            && long.TryParse(fields[3], NumberStyles.None, CultureInfo.InvariantCulture, out long free)
            ? free * 1024
            : 0;
    }

    // One exec for each tool: slower, but it needs no look into the container.
    private ToolCommand Exec(ToolCommand command)
    {
        List<string> all = ["exec", "--interactive"];
        foreach ((string name, string? value) in command.Environment)
        {
            if (value is not null)
            {
                // By name only: the engine takes the value from its own environment, so no secret is an argument.
                all.AddRange(["--env", name]);
            }
        }

        all.Add(container);
        if (command.MayStopReading)
        {
            // The client loses output when the tool ends before its input does: the rest of the input is read and dropped.
            all.AddRange(["sh", "-c", "\"$@\"; code=$?; cat >/dev/null; exit $code", "olympus-pgbackup"]);
        }

        all.Add(command.FileName);
        all.AddRange(command.Arguments);
        return new ToolCommand(engine.Program, all)
        {
            Label = command.Label,
            MayStopReading = command.MayStopReading,
            LeavesRest = command.LeavesRest,
            Environment = command.Environment.Where(static v => v.Value is not null).ToDictionary(StringComparer.Ordinal),
        };
    }
}
