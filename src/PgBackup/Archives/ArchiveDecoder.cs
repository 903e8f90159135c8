using System.Buffers;
using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Tools;

namespace PgBackup.Archives;

/// <summary>
/// Reads an archive in custom format while it streams by: it is fed to <c>pg_restore -f -</c>, whose script becomes the proof.
/// An archive that pg_restore cannot decode to its last byte has no proof.
/// </summary>
internal sealed class ArchiveDecoder : IAsyncDisposable
{
    private readonly ToolProcess restore;
    private readonly int major;
    private readonly ScriptReader script;
    private readonly Task reading;
    private readonly CancellationTokenRegistration killing;
    private bool refused;

    private ArchiveDecoder(ToolProcess restore, int major, bool keepExcerpts, CancellationToken cancel)
    {
        this.restore = restore;
        this.major = major;
        script = new ScriptReader(keepExcerpts);
        killing = cancel.Register(restore.Kill);
        reading = Task.Run(Read, CancellationToken.None);
    }

    /// <summary>What was read so far, and the statements of the database itself.</summary>
    public ScriptReader Script => script;

    /// <summary>Starts pg_restore, without a server, at one place. Tablespaces are left out: they are placement, not content.</summary>
    public static async Task<ArchiveDecoder> StartAsync(PostgresTools tools, bool keepExcerpts, CancellationToken cancel)
    {
        ToolProcess restore = await tools.Host.StartAsync(
            new ToolCommand("pg_restore", "--create", "--no-tablespaces", "--file=-")
            {
                Label = "pg_restore (reading the dump back)",
                MayStopReading = true,
            },
            cancel
        );
        return new ArchiveDecoder(restore, tools.Major, keepExcerpts, cancel);
    }

    // Most bytes of the night pass here: see the remarks of ToolStream.
    private void Read()
    {
        try
        {
            byte[] buffer = new byte[256 * 1024];
            int count;
            while ((count = restore.Output.Read(buffer)) > 0)
            {
                script.Read(buffer.AsSpan(0, count));
            }
        }
        catch
        {
            restore.Kill(); // its output is not read any more, and it would block for ever whoever feeds it
            throw;
        }
    }

    /// <summary>Reads a script from a tool's output to its end.</summary>
    public static async Task ReadAsync(Stream output, ScriptReader script, CancellationToken cancel)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(256 * 1024);
        try
        {
            int count;
            while ((count = await output.ReadAsync(buffer, cancel)) > 0)
            {
                script.Read(buffer.AsSpan(0, count));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Takes the next piece of the archive; waits while pg_restore is busy with those before.</summary>
    public void Write(ReadOnlySpan<byte> piece)
    {
        if (refused)
        {
            return; // what follows the last entry of an archive is no data, and pg_restore need not read it
        }

        try
        {
            restore.Input.Write(piece);
        }
        catch (IOException)
        {
            refused = true;
        }
    }

    /// <summary>The end of the archive: waits for pg_restore and returns the proof.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.DumpUnreadable"/>.</exception>
    public async Task<Proof> FinishAsync(CancellationToken cancel)
    {
        try
        {
            await restore.Input.DisposeAsync();
        }
        catch (IOException)
        {
            // as above
        }

        await reading.WaitAsync(cancel);
        int exitCode = await restore.WaitAsync(cancel);
        cancel.ThrowIfCancellationRequested(); // which killed it
        if (exitCode != 0)
        {
            throw new PgBackupException(
                ErrorCode.DumpUnreadable,
                $"the dump cannot be read back: {ToolFailure.Of(restore.Command, exitCode, restore.Errors).Message}"
            );
        }

        return script.Finish(major);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await killing.DisposeAsync();
        await restore.DisposeAsync();
        try
        {
            await reading;
        }
        catch (Exception)
        {
            // Disposed before the end; what went wrong is thrown by FinishAsync, or is a consequence of another failure.
        }

        script.Dispose();
    }
}
