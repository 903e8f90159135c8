using System.Buffers.Binary;
using System.Text;

namespace PgBackup.IntegrationTests.Support;

/// <summary>
/// Words of another language for the programs of Postgres in a container, as files of gettext (its manual, "The Format of GNU MO Files").
/// They stand where the image's own locale, en_US, looks for them.
/// </summary>
internal static class Translations
{
    private static readonly string[] Programs = ["postgres", "psql", "pg_dump", "libpq5"];

    /// <summary>The options of podman that put the words into a container; the files lie in a folder of this host.</summary>
    public static string[] Mount(string folder, params (string English, string Other)[] words)
    {
        string messages = Directory.CreateDirectory(Path.Combine(folder, "en", "LC_MESSAGES")).FullName;
        byte[] file = File([("", "Content-Type: text/plain; charset=UTF-8\n"), .. words]);
        foreach (string program in Programs)
        {
            System.IO.File.WriteAllBytes(Path.Combine(messages, $"{program}-17.mo"), file);
        }

        return ["--volume", $"{Path.Combine(folder, "en")}:/usr/share/locale/en:ro"];
    }

    private static byte[] File((string English, string Other)[] words)
    {
        const int Head = 28;
        (byte[] English, byte[] Other)[] sorted =
        [
            .. words
                .OrderBy(static w => w.English, StringComparer.Ordinal)
                .Select(static w => (Encoding.UTF8.GetBytes(w.English), Encoding.UTF8.GetBytes(w.Other))),
        ];
        var text = new MemoryStream();
        int table = Head;
        int texts = Head + (16 * sorted.Length);
        byte[] start = new byte[texts];
        foreach (
            (int at, int value) in (ReadOnlySpan<(int, int)>)
                [(0, unchecked((int)0x950412de)), (8, sorted.Length), (12, Head), (16, Head + (8 * sorted.Length)), (24, texts)]
        )
        {
            BinaryPrimitives.WriteInt32LittleEndian(start.AsSpan(at), value);
        }

        foreach (byte[] one in sorted.Select(static s => s.English).Concat(sorted.Select(static s => s.Other)))
        {
            BinaryPrimitives.WriteInt32LittleEndian(start.AsSpan(table), one.Length);
            BinaryPrimitives.WriteInt32LittleEndian(start.AsSpan(table + 4), texts + (int)text.Length);
            table += 8;
            text.Write([.. one, 0]);
        }

        return [.. start, .. text.ToArray()];
    }
}
