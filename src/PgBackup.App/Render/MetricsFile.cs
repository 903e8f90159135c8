using PgBackup.Installations;

namespace PgBackup.App.Render;

/// <summary>The file of figures that the config names (<c>metrics.textfile</c>): written anew after each verb that does
/// something.</summary>
internal static class MetricsFile
{
    /// <summary>Reads the stores, and writes it whole or not at all. What keeps it from that is a warning, and changes no exit code:
    /// what the verb did is done.</summary>
    public static async Task FollowAsync(Installation installation, CancellationToken cancel)
    {
        if (installation.Config.MetricsFile is not { } file)
        {
            return;
        }

        try
        {
            MetricsText.Write(await installation.Status().ReadAsync(cancel), file);
        }
        catch (Exception) when (cancel.IsCancellationRequested)
        {
            // Whoever ends the program waits for nothing. The verb has ended, and its exit code stands.
        }
        catch (Exception e)
        {
            string? remedy = (e as PgBackupException)?.Remedy;
            FindingText.Message([
                Finding.Warning(ErrorCode.MetricsNotWritten, file, "the file of metrics is not up to date", e.Message, remedy),
            ]);
        }
    }
}
