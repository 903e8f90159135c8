using System.Text;

namespace PgBackup.Host;

/// <summary>
/// Reads what a person wrote: a config, a key, a password, a list of secrets. It may also come through a pipe, for instance
/// <c>--config &lt;(sops -d config.yaml)</c>. A pipe into which nobody writes, or a device without end, is refused and not waited for.
/// </summary>
public static class SmallFile
{
    /// <summary>As much as is read, in bytes: 1 MiB, far beyond any config or key.</summary>
    public const int MostBytes = 1024 * 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The text of a file in UTF-8, a byte order mark taken off. A pipe is waited for 30 seconds.</summary>
    /// <param name="path">The file, or a pipe.</param>
    /// <exception cref="IOException">It cannot be read, is larger than 1 MiB, or does not end in time.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not read it.</exception>
    public static string Text(string path) => Text(path, Patience, CancellationToken.None);

    /// <summary>As <see cref="Text(string)"/>, with another limit, and given up when cancelled.</summary>
    /// <param name="path">The file, or a pipe.</param>
    /// <param name="patience">How long a pipe is waited for.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="IOException">It cannot be read, is larger than 1 MiB, or does not end in time.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not read it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static string Text(string path, TimeSpan patience, CancellationToken cancel)
    {
        // To open a pipe takes until somebody writes into it, and nothing ends that wait; so another thread waits, and is left behind.
        Task<string> reading = Task.Run(
            () =>
            {
                using var text = new StreamReader(new MemoryStream(Bytes(path).Bytes), Encoding.UTF8);
                return text.ReadToEnd();
            },
            CancellationToken.None
        );
        return Task.WaitAny([reading], (int)patience.TotalMilliseconds, cancel) == 0
            ? reading.GetAwaiter().GetResult()
            : throw new IOException($"it does not end within {patience.TotalSeconds:0.#} s; if it is a pipe, start what writes into it");
    }

    /// <summary>The lines of a file, as <see cref="Text(string)"/> reads it.</summary>
    /// <exception cref="IOException">As of <see cref="Text(string)"/>.</exception>
    /// <exception cref="UnauthorizedAccessException">As of <see cref="Text(string)"/>.</exception>
    public static string[] Lines(string path) => Text(path).TrimEnd('\n').Split('\n').Select(static line => line.TrimEnd('\r')).ToArray();

    /// <summary>What a file holds, byte for byte, and whether it can be opened again and holds the same: a pipe is read once. Waits as long
    /// as a pipe lasts.</summary>
    /// <exception cref="IOException">It cannot be read, or is larger than 1 MiB.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not read it.</exception>
    public static (byte[] Bytes, bool OpensAgain) Bytes(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        using var read = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        int count;
        while ((count = stream.Read(buffer)) > 0)
        {
            read.Write(buffer, 0, count);
            if (read.Length > MostBytes)
            {
                throw new IOException($"it is larger than any config or key, {MostBytes / 1024 / 1024} MiB");
            }
        }

        return (read.ToArray(), stream.CanSeek);
    }
}
