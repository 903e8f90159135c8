using System.Runtime.InteropServices;
using System.Text;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>
/// The script of <c>pg_dumpall --globals-only</c> with some more statements before its end, so that whatever reads the script has them,
/// psql included. A script without its end stays without it, and gets none of them.
/// </summary>
internal sealed class GlobalsStream(Stream script, IReadOnlyList<string> more) : ForwardStream
{
    // The last lines are less than 200 bytes long.
    private const int Held = 1024;

    private static readonly byte[] End = "\n--\n-- PostgreSQL database cluster dump complete\n"u8.ToArray();

    private readonly List<byte> tail = [];
    private byte[]? rest;
    private int given;

    /// <summary>The last lines that pg_dumpall wrote to stderr (warnings, when it succeeded).</summary>
    public IReadOnlyList<string> Errors => script is ToolStream tool ? tool.Errors : [];

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (rest is null && !buffer.IsEmpty)
        {
            int free = tail.Count - Held;
            if (free > 0)
            {
                int count = Math.Min(free, buffer.Length);
                CollectionsMarshal.AsSpan(tail)[..count].CopyTo(buffer.Span);
                tail.RemoveRange(0, count);
                return count;
            }

            byte[] piece = new byte[64 * 1024];
            int read = await script.ReadAsync(piece, cancellationToken);
            tail.AddRange(piece.AsSpan(0, read));
            rest = read == 0 ? Supplemented() : null;
        }

        int last = Math.Min(buffer.Length, (rest?.Length ?? 0) - given);
        rest.AsSpan(given, last).CopyTo(buffer.Span);
        given += last;
        return last;
    }

    /// <inheritdoc/>
    protected override ValueTask DisposeOnceAsync() => script.DisposeAsync();

    // psql takes no statement from a restricted script after \unrestrict, which is the last line but the end.
    private byte[] Supplemented()
    {
        byte[] whole = [.. tail];
        int end = whole.AsSpan().LastIndexOf(End);
        if (end < 0 || more.Count == 0)
        {
            return whole;
        }

        int at = whole.AsSpan(0, end).LastIndexOf("\n\\unrestrict "u8);
        at = at < 0 ? end : at;
        return
        [
            .. whole.AsSpan(0, at),
            .. Encoding.UTF8.GetBytes(
                $"\n--\n-- What pg_dumpall leaves out (added by olympus-pgbackup)\n--\n\n{string.Join('\n', more)}\n"
            ),
            .. whole.AsSpan(at),
        ];
    }
}
