using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using PgBackup.Proofs;

namespace PgBackup.Archives;

/// <summary>
/// Reads the SQL script that pg_dump, pg_restore or pg_dumpall writes, in pieces of any size, and builds the proof of it on the
/// fly. Memory is bounded by the longest statement (and row of a table that inherits), never by a table.
/// </summary>
internal sealed class ScriptReader : IDisposable
{
    private const int ExcerptLength = 16 * 1024;

    private readonly IncrementalHash row = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash largeObject = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] hash = new byte[32];
    private readonly ArrayBufferWriter<byte> statement = new();
    private readonly StatementLexer lexer = new();
    private readonly Dictionary<string, Table> tables = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string> sequences = new(StringComparer.Ordinal);
    private readonly ContentDigest schema = new();
    private readonly ContentDigest database = new();
    private readonly Table largeObjects = new();
    private readonly Dictionary<string, List<string>>? excerpts;
    private readonly List<byte> line = [];
    private string? authorization;

    private readonly HashSet<string> inheriting = new(StringComparer.Ordinal);
    private readonly List<byte> sortedRow = [];
    private int[]? columnOrder;
    private Table? copying;
    private bool complete;
    private long rowLength;
    private byte rowFirst,
        rowSecond;

    /// <summary>A reader; <paramref name="keepExcerpts"/> keeps every schema statement (of a longer one its first 16 KiB), to name
    /// differences.</summary>
    public ScriptReader(bool keepExcerpts = false)
    {
        excerpts = keepExcerpts ? new Dictionary<string, List<string>>(StringComparer.Ordinal) : null;
    }

    /// <summary>The statements about the database itself, with its name taken out.</summary>
    public List<DatabaseStatement> DatabaseStatements { get; } = [];

    /// <summary>Every other statement, in order, when asked for by <see cref="KeepStatements"/>.</summary>
    public List<string> Statements { get; } = [];

    /// <summary>What the tables look like, as far as the script was read.</summary>
    public ScriptShapes Shapes { get; } = new();

    /// <summary>Keeps the text of every statement (for globals, which are small).</summary>
    public bool KeepStatements { get; init; }

    /// <summary>
    /// The tablespace that the database lies in, quoted where SQL needs it, if it is not the default one: a script without tablespaces is
    /// then read as an archive words it, which always names that of the database itself.
    /// </summary>
    public string? DatabaseTablespace { get; init; }

    /// <summary>Called for each line of comment between two statements.</summary>
    public Action<string>? Comment { get; init; }

    /// <summary>False when the script's literals escape by backslashes (<c>standard_conforming_strings = off</c>).</summary>
    public bool StandardStrings => lexer.StandardStrings;

    /// <summary>Bytes of script read so far; read by a progress display on another thread.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Takes the next piece of the script.</summary>
    public void Read(ReadOnlySpan<byte> piece)
    {
        BytesRead += piece.Length;
        while (!piece.IsEmpty)
        {
            int end = piece.IndexOf((byte)'\n');
            if (copying is not null)
            {
                ReadRow(end < 0 ? piece : piece[..(end + 1)], end >= 0);
            }
            else if (end >= 0 && line.Count == 0)
            {
                ReadLine(piece[..end]);
            }
            else
            {
                line.AddRange(end < 0 ? piece : piece[..end]);
                if (end >= 0)
                {
                    byte[] whole = [.. line];
                    line.Clear();
                    ReadLine(whole);
                }
            }

            piece = end < 0 ? [] : piece[(end + 1)..];
        }
    }

    /// <summary>The proof of the whole script.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.DumpUnreadable"/>: the script lacks its end.</exception>
    public Proof Finish(int dumpMajor)
    {
        RequireEnd();
        return new Proof
        {
            DumpMajor = dumpMajor,
            Tables = new SortedDictionary<string, TableProof>(
                tables.ToDictionary(static t => t.Key, static t => t.Value.ToProof()),
                StringComparer.Ordinal
            ),
            Sequences = sequences,
            LargeObjects = largeObjects.ToProof(),
            Schema = new StatementsProof { Count = schema.Count, Digest = schema.ToString() },
            Database = new StatementsProof { Count = database.Count, Digest = database.ToString() },
        };
    }

    /// <summary>
    /// Requires the line that pg_dump, pg_dumpall and pg_restore write last: a stream that was cut between two statements, by whatever
    /// stands between the tool and us, would otherwise be a proof of less.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.DumpUnreadable"/>.</exception>
    public void RequireEnd()
    {
        if (line.Count > 0)
        {
            ReadLine([.. line]);
            line.Clear();
        }

        if (copying is not null || statement.WrittenCount > 0 || !complete)
        {
            throw new PgBackupException(ErrorCode.DumpUnreadable, "the SQL script of the dump was cut: its last line is missing.");
        }
    }

    /// <summary>Schema statements that this script has and the other lacks. Both must keep excerpts.</summary>
    public IReadOnlyList<string> StatementsMissingIn(ScriptReader other)
    {
        List<string> missing = [];
        foreach ((string key, List<string> texts) in excerpts ?? [])
        {
            int there = other.excerpts is not null && other.excerpts.TryGetValue(key, out List<string>? found) ? found.Count : 0;
            missing.AddRange(texts.Skip(there));
        }

        return missing;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        row.Dispose();
        largeObject.Dispose();
    }

    // A piece of a row, or the rest of one with its line end. The end mark \. may itself come in pieces.
    private void ReadRow(ReadOnlySpan<byte> piece, bool complete)
    {
        ReadOnlySpan<byte> content = complete ? piece[..^1] : piece;
        for (int i = 0; rowLength + i < 2 && i < content.Length; i++)
        {
            (rowFirst, rowSecond) = rowLength + i == 0 ? (content[i], (byte)0) : (rowFirst, content[i]);
        }

        rowLength += content.Length;
        if (columnOrder is null)
        {
            row.AppendData(content);
        }
        else
        {
            line.AddRange(content);
        }

        if (!complete)
        {
            return;
        }

        if (columnOrder is not null)
        {
            InheritedOrder.Reorder(CollectionsMarshal.AsSpan(line), columnOrder, sortedRow);
            row.AppendData(CollectionsMarshal.AsSpan(sortedRow));
            line.Clear();
        }

        row.GetHashAndReset(hash);
        if (rowLength == 2 && rowFirst == (byte)'\\' && rowSecond == (byte)'.')
        {
            copying = null;
        }
        else
        {
            copying!.Add(hash, rowLength + 1);
        }

        rowLength = 0;
    }

    private void ReadLine(ReadOnlySpan<byte> text)
    {
        if (statement.WrittenCount == 0 && (IsBlank(text) || text.StartsWith("--"u8) || text[0] == (byte)'\\'))
        {
            // Between statements: comments, and psql's own \restrict, \unrestrict and \connect.
            complete |=
                text.SequenceEqual("-- PostgreSQL database dump complete"u8)
                || text.SequenceEqual("-- PostgreSQL database cluster dump complete"u8);
            if (Comment is not null && text.StartsWith("-- "u8))
            {
                Comment(Text(text));
            }

            return;
        }

        complete = false; // the end is the end only if nothing follows

        statement.Write(text);
        if (lexer.Line(text))
        {
            EndStatement(statement.WrittenSpan);
            statement.ResetWrittenCount();
        }
        else
        {
            statement.Write("\n"u8);
        }
    }

    private void EndStatement(ReadOnlySpan<byte> text)
    {
        if (ScriptShapes.MayBe(text))
        {
            Shapes.Read(Text(text));
        }

        if (text.StartsWith("COPY "u8) && text.EndsWith(" FROM stdin;"u8))
        {
            text = StartCopy(text);
        }
        else if (text.IndexOf("\nINHERITS ("u8) > 0 && InheritedOrder.Definition(Text(text)) is (string table, string sorted))
        {
            inheriting.Add(table);
            text = Encoding.UTF8.GetBytes(sorted);
        }
        else if (text.StartsWith("SELECT pg_catalog."u8) && ReadCall(text["SELECT pg_catalog.".Length..]))
        {
            return; // a sequence's state or a piece of a large object
        }
        else if (text.SequenceEqual("BEGIN;"u8) || text.SequenceEqual("COMMIT;"u8))
        {
            return; // frames large objects in numbers that depend on the tool
        }

        if (text.StartsWith("SET standard_conforming_strings = off"u8))
        {
            lexer.StandardStrings = false;
        }

        if (text.StartsWith("SET SESSION AUTHORIZATION "u8))
        {
            authorization = text.SequenceEqual("SET SESSION AUTHORIZATION DEFAULT;"u8) ? null : Text(text);
        }
        else if (text.SequenceEqual("RESET SESSION AUTHORIZATION;"u8))
        {
            authorization = null;
        }

        if (KeepStatements)
        {
            Statements.Add(Text(text));
        }

        if (DatabaseStatement.MayBe(text) && DatabaseStatement.Read(Text(text)) is { } own)
        {
            own =
                DatabaseTablespace is { } place && own.Creates
                    ? own with
                    {
                        Template = $"{own.Template.TrimEnd(';')} TABLESPACE = {place};",
                    }
                    : own;
            DatabaseStatements.Add(own with { Authorization = authorization });
            database.AddContent(Encoding.UTF8.GetBytes(own.Template));
            return;
        }

        SHA256.HashData(text, hash);
        schema.Add(hash);
        if (excerpts is not null)
        {
            string key = Convert.ToHexString(hash);
            if (!excerpts.TryGetValue(key, out List<string>? texts))
            {
                excerpts[key] = texts = [];
            }

            texts.Add(Text(text[..ExcerptEnd(text)]));
        }
    }

    private bool ReadCall(ReadOnlySpan<byte> call)
    {
        if (call.StartsWith("setval("u8))
        {
            string text = Text(call["setval(".Length..]);
            int end = text.LastIndexOf("', ", StringComparison.Ordinal);
            int close = text.LastIndexOf(");", StringComparison.Ordinal);
            if (text.StartsWith('\'') && end > 0 && close > end)
            {
                sequences[text[1..end].Replace("''", "'", StringComparison.Ordinal)] = text[(end + 3)..close]
                    .Replace(" ", "", StringComparison.Ordinal);
                return true;
            }
        }
        else if (call.StartsWith("lo_open('"u8))
        {
            ReadOnlySpan<byte> id = call["lo_open('".Length..];
            largeObject.AppendData(id[..id.IndexOf((byte)'\'')]);
            largeObject.AppendData(":"u8);
            return true;
        }
        else if (call.StartsWith("lowrite(0, '\\x"u8))
        {
            // Pieces are cut differently by different versions: the digest is of the content, not of the pieces.
            ReadOnlySpan<byte> hex = call["lowrite(0, '\\x".Length..];
            hex = hex[..hex.IndexOf((byte)'\'')];
            byte[] data = ArrayPool<byte>.Shared.Rent(hex.Length / 2);
            Convert.FromHexString(hex, data, out _, out int count);
            largeObject.AppendData(data.AsSpan(0, count));
            largeObjects.Bytes += count;
            ArrayPool<byte>.Shared.Return(data);
            return true;
        }
        else if (call.StartsWith("lo_close("u8))
        {
            largeObject.GetHashAndReset(hash);
            largeObjects.Add(hash, 0);
            return true;
        }

        return false;
    }

    // COPY schema.table (columns) FROM stdin;
    private ReadOnlySpan<byte> StartCopy(ReadOnlySpan<byte> copy)
    {
        int end = "COPY ".Length;
        bool quoted = false;
        while (end < copy.Length && (quoted || copy[end] != (byte)' '))
        {
            quoted ^= copy[end] == (byte)'"';
            end++;
        }

        string name = Text(copy["COPY ".Length..end]);
        if (!tables.TryGetValue(name, out Table? table))
        {
            tables[name] = table = new Table();
        }

        copying = table;
        columnOrder = null;
        Shapes.Copy(name, Text(copy));
        if (!inheriting.Contains(name))
        {
            return copy;
        }

        columnOrder = InheritedOrder.Columns(Text(copy));
        return Encoding.UTF8.GetBytes($"COPY {name} with the columns of its definition"); // they are in that digest already
    }

    private static int ExcerptEnd(ReadOnlySpan<byte> text)
    {
        int end = Math.Min(text.Length, ExcerptLength);
        while (end > 0 && end < text.Length && (text[end] & 0xC0) == 0x80)
        {
            end--; // not within a character of UTF-8
        }

        return end;
    }

    private static bool IsBlank(ReadOnlySpan<byte> text) => text.IsEmpty || text.Trim(" \r\t"u8).IsEmpty;

    // Names of a database that is not in UTF-8 must neither fail nor collide.
    private static string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return Encoding.Latin1.GetString(bytes);
        }
    }

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private sealed class Table
    {
        private readonly ContentDigest digest = new();

        public long Bytes { get; set; }

        public void Add(ReadOnlySpan<byte> sha256, long bytes)
        {
            digest.Add(sha256);
            Bytes += bytes;
        }

        public TableProof ToProof() =>
            new()
            {
                Rows = digest.Count,
                Bytes = Bytes,
                Digest = digest.ToString(),
            };
    }
}
