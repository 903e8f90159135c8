using PgBackup.Tools;

namespace PgBackup.Operations.Restore;

/// <summary>Hands an archive to a pg_restore.</summary>
internal static class ArchiveFeed
{
    /// <summary>
    /// Reads the stream to its end and closes the tool's stdin. pg_restore may stop before the end of the archive; the rest is read all the
    /// same, since only its end proves it whole. If reading fails, the tool is killed first.
    /// </summary>
    public static async Task FeedAsync(Stream plain, ToolProcess restore, CancellationToken cancel)
    {
        byte[] buffer = new byte[256 * 1024];
        bool refused = false;
        int count;
        try
        {
            while ((count = await plain.ReadAsync(buffer, cancel)) > 0)
            {
                try
                {
                    if (!refused)
                    {
                        await restore.Input.WriteAsync(buffer.AsMemory(0, count), cancel);
                    }
                }
                catch (IOException)
                {
                    refused = true; // its exit code shows whether that was right
                }
            }
        }
        catch
        {
            restore.Kill(); // before its stdin closes: a cut archive must not look like a whole one
            throw;
        }

        try
        {
            await restore.Input.DisposeAsync();
        }
        catch (IOException)
        {
            // the pipe of a tool that has ended
        }
    }
}
