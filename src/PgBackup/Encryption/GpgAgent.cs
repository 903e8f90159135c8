using PgBackup.Host;
using PgBackup.Tools;

namespace PgBackup.Encryption;

/// <summary>
/// The agent of a private home folder of gpg. One that gpg starts by itself would outlive a process that is killed, with the private key in
/// its memory; this one ends with the process that started it.
/// </summary>
/// <remarks>
/// <c>gpg-agent --daemon COMMAND</c> makes the agent's socket, becomes the command, and the agent ends when the command has ended
/// (gpg-agent(1)). The command here is <c>cat</c>, which ends with the pipe on its stdin.
/// </remarks>
internal sealed class GpgAgent : IAsyncDisposable
{
    private readonly ToolProcess process;

    private GpgAgent(ToolProcess process) => this.process = process;

    /// <summary>Starts it, and waits until gpg finds it; null where it cannot be started, and gpg starts one by itself.</summary>
    public static async Task<GpgAgent?> StartAsync(PrivateFolder home, CancellationToken cancel)
    {
        ToolProcess process;
        try
        {
            process = ToolProcess.Start(new ToolCommand("gpg-agent", "--homedir", home.Path, "--quiet", "--daemon", "cat"));
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
        {
            return null;
        }

        var agent = new GpgAgent(process);
        try
        {
            // What cat repeats says that it runs, and so that the socket is there.
            await process.Input.WriteAsync("."u8.ToArray(), cancel);
            await process.Input.FlushAsync(cancel);
            if (await process.Output.ReadAsync(new byte[1], cancel) == 1)
            {
                return agent;
            }
        }
        catch (IOException)
        {
            // It has ended.
        }
        catch
        {
            await agent.DisposeAsync();
            throw;
        }

        await agent.DisposeAsync();
        return null;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => process.DisposeAsync();
}
