using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using PgBackup.Snapshots;

namespace PgBackup.Soak.Bench;

/// <summary>
/// A store with snapshots of before the fault, made once for each worker and cipher, and copied for each fault: some old ones that the
/// rules would remove, and two of now. The server holds what the last one holds.
/// </summary>
internal sealed class BaseStore(string folder, string encryption, IReadOnlyList<string> old, IReadOnlyList<string> now)
{
    public string Folder { get; } = folder;

    public string Encryption { get; } = encryption;

    /// <summary>Ids of hundreds of days ago.</summary>
    public IReadOnlyList<string> Old { get; } = old;

    /// <summary>Ids of today, the oldest first.</summary>
    public IReadOnlyList<string> Now { get; } = now;

    /// <summary>The proofs of a snapshot by database, as the manifest has them.</summary>
    public static Dictionary<string, string> Proofs(string store, string id)
    {
        JsonNode manifest = JsonNode.Parse(File.ReadAllBytes(Path.Combine(store, id, SnapshotLayout.Manifest)))!;
        return manifest["parts"]!
            .AsArray()
            .Where(static p => p!["database"] is not null)
            .ToDictionary(
                static p => p!["database"]!.GetValue<string>(),
                static p => p!["proof"]?.ToJsonString() ?? "none",
                StringComparer.Ordinal
            );
    }

    /// <summary>
    /// A copy of a snapshot with another id, everywhere it stands, as if it had been taken then: no clock is turned back for it. Digests of
    /// the small objects, which have the id in them, are written anew.
    /// </summary>
    public static void Copy(string store, string id, string to)
    {
        string folder = Path.Combine(store, to);
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(Path.Combine(store, id)))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file).Replace(id, to, StringComparison.Ordinal)));
        }

        var digests = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string name in (string[])["SHA256SUMS", "RESTORE.md", "manifest.json", "manifest.sha256"])
        {
            string file = Path.Combine(folder, name);
            if (!File.Exists(file))
            {
                continue;
            }

            string text = File.ReadAllText(file);
            string before = Digest(text);
            text = digests.Aggregate(
                text.Replace(id, to, StringComparison.Ordinal),
                static (t, d) => t.Replace(d.Key, d.Value, StringComparison.Ordinal)
            );
            File.WriteAllText(file, text);
            digests[before] = Digest(text);
        }
    }

    private static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
