namespace PgBackup.Applications;

/// <summary>Bytes written as text. Null where the text is something else.</summary>
internal static class Encoded
{
    /// <summary>Base64, of either alphabet, with or without its padding.</summary>
    public static byte[]? Base64(string text)
    {
        string standard = text.TrimEnd('=').Replace('-', '+').Replace('_', '/');
        byte[] bytes = new byte[standard.Length];
        return Convert.TryFromBase64String(standard.PadRight((standard.Length + 3) / 4 * 4, '='), bytes, out int count)
            ? bytes[..count]
            : null;
    }

    /// <summary>Hexadecimal digits.</summary>
    public static byte[]? Hex(string text) => text.Length % 2 == 0 && text.All(char.IsAsciiHexDigit) ? Convert.FromHexString(text) : null;
}
