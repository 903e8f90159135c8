using PgBackup.Operations.Status;

namespace PgBackup.App.Render;

/// <summary>The file of figures that the config names (<c>metrics.textfile</c>): written anew after each verb that does
/// something.</summary>
internal static class MetricsFile
{
    /// <summary>Writes it whole or not at all. What keeps it from that is a warning, and changes no exit code: what the verb did is
    /// done.</summary>
    /// <param name="status">How the backups stand; null where it could not be read.</param>
    /// <param name="file">The file.</param>
    public static async Task WriteAsync(StatusReport? status, string file)
    {
        if (status is null)
        {
            return;
        }

        try
        {
            await MetricsText.WriteAsync(status, file);
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
