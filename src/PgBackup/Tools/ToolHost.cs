using PgBackup.Host;

namespace PgBackup.Tools;

/// <summary>Where the tools of Postgres run: on this host, or inside a container.</summary>
public abstract class ToolHost
{
    /// <summary>How to name the place in a message: "on this host (/usr/lib/postgresql/17/bin)", "in the container x".</summary>
    public abstract string Place { get; }

    /// <summary>
    /// Starts one tool there: its name without a path, its arguments, and its environment, which never shows in an argument list.
    /// A variable with the value null is removed from what the tool would inherit.
    /// </summary>
    public abstract Task<ToolProcess> StartAsync(ToolCommand command, CancellationToken cancel);

    /// <summary>
    /// A file of so many bytes can be staged at no risk: it lies in memory that is to spare, and goes with the place where it lies whatever
    /// happens to this process.
    /// </summary>
    public virtual Task<bool> CanStageInMemoryAsync(long size, CancellationToken cancel) => Task.FromResult(false);

    /// <summary>Refuses where a staged file might stay behind, before anything was done.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.TargetInvalid"/>.</exception>
    public virtual void RequireStaging() { }

    /// <summary>
    /// Writes a stream into a private file that the tools can open, for tools that need to seek. It is removed when the result is
    /// disposed, and what a killed process left by the next one.
    /// </summary>
    /// <param name="content">What is written; an error of its own is thrown as it is.</param>
    /// <param name="size">Its size in bytes.</param>
    /// <param name="inMemoryOnly">It may not go to a disk where memory is short.</param>
    /// <param name="cancel">Gives up, and removes what was written.</param>
    /// <exception cref="PgBackupException">
    /// <see cref="ErrorCode.TargetInvalid"/>, as by <see cref="RequireStaging"/>; <see cref="ErrorCode.StagingFailed"/>: there is no room;
    /// nothing is left.
    /// </exception>
    public abstract Task<StagedFile> StageAsync(Stream content, long size, bool inMemoryOnly, CancellationToken cancel);

    /// <summary>The error where there is no room.</summary>
    protected static PgBackupException NoRoom(string what, Exception? inner) =>
        new(
            ErrorCode.StagingFailed,
            $"the decrypted archive cannot be written to a file {what}",
            "Make room there, or leave out --jobs: one job needs no file.",
            inner
        );
}

/// <summary>A private file where the tools run; disposing it removes it.</summary>
public sealed class StagedFile(string path, Func<ValueTask> remove) : IAsyncDisposable
{
    /// <summary>Its path as the tools see it.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => remove();
}

/// <summary>Tools on this host, in one folder or (with null) wherever PATH has them.</summary>
public sealed class HostTools(string? folder, TimeProvider clock) : ToolHost
{
    /// <summary>The folder, or null for PATH.</summary>
    public string? Folder => folder;

    /// <inheritdoc/>
    public override string Place => folder is null ? "on this host (PATH)" : $"on this host ({folder})";

    /// <inheritdoc/>
    public override Task<ToolProcess> StartAsync(ToolCommand command, CancellationToken cancel)
    {
        string program = folder is null ? command.FileName : Path.Combine(folder, command.FileName);
        return Task.FromResult(
            ToolProcess.Start(
                new ToolCommand(program, command.Arguments)
                {
                    Label = command.Label,
                    Environment = command.Environment,
                    MayStopReading = command.MayStopReading,
                    LeavesRest = command.LeavesRest,
                }
            )
        );
    }

    /// <inheritdoc/>
    public override async Task<StagedFile> StageAsync(Stream content, long size, bool inMemoryOnly, CancellationToken cancel)
    {
        PrivateFolder scratch;
        try
        {
            scratch = PrivateFolder.Create(clock, size);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.NoPrivateFolder)
        {
            throw NoRoom($"on this host: {e.Message}", e);
        }

        try
        {
            string path = Path.Combine(scratch.Path, "archive");
            await using (
                var file = new FileStream(
                    path,
                    new FileStreamOptions
                    {
                        Mode = FileMode.CreateNew,
                        Access = FileAccess.Write,
                        UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                        Options = FileOptions.Asynchronous,
                    }
                )
            )
            {
                await CopyAsync(content, file, scratch.Path, cancel);
            }

            return new StagedFile(
                path,
                () =>
                {
                    scratch.Dispose();
                    return ValueTask.CompletedTask;
                }
            );
        }
        catch
        {
            scratch.Dispose();
            throw;
        }
    }

    // What cannot be read is the content's own error; what cannot be written is want of room.
    private static async Task CopyAsync(Stream content, FileStream file, string folder, CancellationToken cancel)
    {
        byte[] buffer = new byte[1 << 20];
        int count;
        while ((count = await content.ReadAsync(buffer, cancel)) > 0)
        {
            try
            {
                await file.WriteAsync(buffer.AsMemory(0, count), cancel);
            }
            catch (Exception e) when (FileError.Of(e) is { } error)
            {
                throw NoRoom($"in {folder}: {error.Message}", e);
            }
        }
    }
}
