namespace PgBackup.Archives;

/// <summary>
/// Follows a script of pg_dump through quotes, comments, dollar quotes and parentheses, just far enough to know at the end of a
/// line whether a statement is complete (PostgreSQL manual, "Lexical Structure").
/// </summary>
internal sealed class StatementLexer
{
    private enum Inside
    {
        Nothing,
        Literal,
        EscapedLiteral,
        Name,
        Dollar,
        BlockComment,
    }

    private Inside inside;
    private byte[] dollarTag = [];
    private int parentheses;
    private int commentDepth;

    /// <summary>Off when the script says <c>SET standard_conforming_strings = off</c>: backslashes then escape in every literal.</summary>
    public bool StandardStrings { get; set; } = true;

    /// <summary>Takes one line without its line end; returns true when a statement ends with it.</summary>
    public bool Line(ReadOnlySpan<byte> line)
    {
        bool ended = false;
        for (int i = 0; i < line.Length; i++)
        {
            byte b = line[i];
            switch (inside)
            {
                case Inside.Nothing:
                    if (b == (byte)'-' && Next(line, i) == (byte)'-')
                    {
                        return ended;
                    }

                    ended = b == (byte)';' ? parentheses <= 0 : ended && b is (byte)' ' or (byte)'\r';
                    i += Open(line, i);
                    break;
                case Inside.EscapedLiteral when b == (byte)'\'' && Next(line, i) == (byte)'\'':
                    i++; // its second half would open a literal without an E before it
                    break;
                case Inside.Literal when b == (byte)'\'':
                case Inside.EscapedLiteral when b == (byte)'\'':
                case Inside.Name when b == (byte)'"':
                    // A doubled quote closes and opens again, which is the same.
                    inside = Inside.Nothing;
                    break;
                case Inside.EscapedLiteral when b == (byte)'\\':
                    i++;
                    break;
                case Inside.Dollar when b == (byte)'$':
                    if (line[i..].StartsWith(dollarTag))
                    {
                        inside = Inside.Nothing;
                        i += dollarTag.Length - 1;
                    }

                    break;
                case Inside.Dollar:
                case Inside.Literal:
                case Inside.Name:
                    int skip = line[i..]
                        .IndexOf(
                            inside switch
                            {
                                Inside.Dollar => (byte)'$',
                                Inside.Literal => (byte)'\'',
                                _ => (byte)'"',
                            }
                        );
                    i = skip < 0 ? line.Length : i + skip - 1;
                    break;
                case Inside.BlockComment:
                    if (b == (byte)'*' && Next(line, i) == (byte)'/')
                    {
                        inside = --commentDepth == 0 ? Inside.Nothing : Inside.BlockComment;
                        i++;
                    }
                    else if (b == (byte)'/' && Next(line, i) == (byte)'*')
                    {
                        commentDepth++;
                        i++;
                    }

                    break;
                default:
                    break;
            }
        }

        if (ended && inside == Inside.Nothing)
        {
            parentheses = 0;
            return true;
        }

        return false;
    }

    // What starts at this position outside of everything; returns how many more bytes belong to it.
    private int Open(ReadOnlySpan<byte> line, int i)
    {
        switch (line[i])
        {
            case (byte)'(':
                parentheses++;
                return 0;
            case (byte)')':
                parentheses--;
                return 0;
            case (byte)'\'':
                bool escaped = !StandardStrings || (i > 0 && line[i - 1] is (byte)'E' or (byte)'e' && (i == 1 || !IsWord(line[i - 2])));
                inside = escaped ? Inside.EscapedLiteral : Inside.Literal;
                return 0;
            case (byte)'"':
                inside = Inside.Name;
                return 0;
            case (byte)'/' when Next(line, i) == (byte)'*':
                inside = Inside.BlockComment;
                commentDepth = 1;
                return 1;
            case (byte)'$' when i == 0 || !IsWord(line[i - 1]):
                int length = DollarTag(line[i..]);
                if (length > 0)
                {
                    dollarTag = line.Slice(i, length).ToArray();
                    inside = Inside.Dollar;
                    return length - 1;
                }

                return 0;
            default:
                return 0;
        }
    }

    private static int DollarTag(ReadOnlySpan<byte> text)
    {
        for (int i = 1; i < text.Length; i++)
        {
            if (text[i] == (byte)'$')
            {
                return i + 1;
            }

            if (!IsWord(text[i]) || (i == 1 && char.IsAsciiDigit((char)text[i])))
            {
                return 0;
            }
        }

        return 0;
    }

    private static byte Next(ReadOnlySpan<byte> line, int i) => i + 1 < line.Length ? line[i + 1] : (byte)0;

    private static bool IsWord(byte b) => b >= 0x80 || b == (byte)'_' || char.IsAsciiLetterOrDigit((char)b);
}
