using PgBackup.Host;
using PgBackup.Operations.Status;
using PgBackup.Serve.Http;

namespace PgBackup.App.Render;

/// <summary>A status as a file of metrics, for the textfile collector of Prometheus.</summary>
internal static class MetricsText
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Writes it into a file, whole or not at all: a collector never reads half of it.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>: the file cannot be written.</exception>
    public static async Task WriteAsync(StatusReport report, string file) => Write(await StatusMetrics.TextAsync(report), file);

    private static void Write(byte[] text, string file)
    {
        RequireOurs(file);
        // The collector reads what ends in .prom, so this does not. A link that somebody put there is not followed.
        string half = $"{file}.{Path.GetRandomFileName()}.tmp";
        try
        {
            using (
                var stream = new FileStream(
                    half,
                    new FileStreamOptions
                    {
                        Mode = FileMode.CreateNew,
                        Access = FileAccess.Write,
                        UnixCreateMode = Readable,
                    }
                )
            )
            {
                stream.Write(text);
                stream.Flush(flushToDisk: true);
            }

            File.Move(half, file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            Remove(half);
            throw new PgBackupException(
                ErrorCode.Usage,
                $"the metrics could not be written into {file}: {e.Message}",
                "Name a file in a folder that exists and may be written to.",
                e
            );
        }
    }

    // A slip of the finger must not cost a config, a device or a link.
    private static void RequireOurs(string file)
    {
        if (Obstacle(file) is { } why)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"the metrics are not written into \"{file}\": {why}.",
                "Name a file of its own, for instance /var/lib/prometheus/node-exporter/olympus.prom."
            );
        }
    }

    private static string? Obstacle(string file)
    {
        if (file.Length == 0)
        {
            return "no file is named";
        }

        try
        {
            return NamedFile.IsRegular(file) switch
            {
                null => null,
                false => "it is no regular file",
                true => new FileInfo(file).Length == 0 || BeginsAsMetrics(file)
                    ? null
                    : "there is something else in it than metrics of this program",
            };
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            return e.Message.TrimEnd('.');
        }
    }

    private static bool BeginsAsMetrics(string file)
    {
        try
        {
            using var text = new StreamReader(file);
            char[] start = new char[StatusMetrics.Start.Length];
            return new string(start, 0, text.ReadBlock(start, 0, start.Length)) == StatusMetrics.Start;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    // What keeps it from being removed is what kept it from being written, and is told.
    private static void Remove(string half)
    {
        try
        {
            File.Delete(half);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException) { }
    }
}
