using System.Text;

namespace PgBackup.App.Render;

/// <summary>
/// A standard stream whose errors end nothing: a log on a full disk or a closed terminal is no reason to go without a backup. After the
/// first error nothing more is written, so that what arrived is a beginning without gaps.
/// </summary>
/// <remarks>A pipe whose reader has gone (<c>| head</c>) is no error: the runtime drops what is written into it.</remarks>
internal sealed class ForgivingWriter(TextWriter inner) : TextWriter
{
    private readonly Lock writing = new();

    /// <summary>What went wrong first; null if all was written.</summary>
    public IOException? Error { get; private set; }

    /// <inheritdoc/>
    public override Encoding Encoding => inner.Encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Try(() => inner.Write(value));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Try(() => inner.Write(buffer, index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => Try(() => inner.Write(value));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Try(() => inner.WriteLine(value));

    /// <inheritdoc/>
    public override void Flush() => Try(inner.Flush);

    private void Try(Action write)
    {
        lock (writing)
        {
            if (Error is not null)
            {
                return;
            }

            try
            {
                write();
            }
            catch (IOException e)
            {
                Error = e;
            }
        }
    }
}
