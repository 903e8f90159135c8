using System.Globalization;
using System.Text;

namespace PgBackup.Snapshots;

/// <summary>The names of a snapshot's objects in a store.</summary>
public static class SnapshotLayout
{
    /// <summary>The record that makes a snapshot exist.</summary>
    public const string Manifest = "manifest.json";

    /// <summary>The manifest's digest, for <c>sha256sum -c</c>. Written before the manifest; snapshots of earlier versions have
    /// none.</summary>
    public const string ManifestSum = "manifest.sha256";

    /// <summary>The folder of the reports of drills, at the root of a store.</summary>
    public const string Drills = "drills";

    /// <summary>The folder of what is known about keys, at the root of a store: canaries, and the tests that keys have passed.</summary>
    public const string Keys = "keys";

    /// <summary>The folder of what uses of this program did, at the root of a store.</summary>
    public const string Records = "records";

    /// <summary>Digests that <c>sha256sum -c</c> checks.</summary>
    public const string Sums = "SHA256SUMS";

    /// <summary>The stock commands to restore it.</summary>
    public const string Guide = "RESTORE.md";

    /// <summary>What is written for people and their tools beside the parts; the manifest names the digests.</summary>
    internal static readonly string[] Texts = [Sums, Guide];

    /// <summary>
    /// Stands beside the manifest of a snapshot that lacks something, and says what: so that a listing of names, without the manifests,
    /// distinguishes complete snapshots from others. Written before the manifest.
    /// </summary>
    public const string Incomplete = "INCOMPLETE";

    /// <summary>Stands in the folder of a snapshot that is kept until it is unpinned, with the reason.</summary>
    public const string Pinned = "PINNED";

    /// <summary>Stands in the folder of a snapshot that was restored in a drill and found equal, with the drill's time.</summary>
    public const string Proven = "PROVEN";

    /// <summary>Stands beside the manifest of a snapshot that has less than an earlier one, and says what (<see cref="Snapshots.Loss"/>).
    /// Written before the manifest, never removed.</summary>
    public const string Loss = "LOSS";

    /// <summary>Stands beside <see cref="Loss"/> when a person has confirmed all that it names. Never removed.</summary>
    public const string Confirmed = "CONFIRMED";

    /// <summary>
    /// Stands in the folder from the first moment of a run until its manifest is written, and again while it is removed: what has
    /// it and no manifest is the rest of a run that was killed, and may be removed by the next one that holds the lock.
    /// </summary>
    public const string InProgress = "IN-PROGRESS";

    /// <summary>Everything that may stand in a snapshot's folder beside its parts.</summary>
    internal static readonly string[] Own = [Manifest, ManifestSum, Sums, Guide, Incomplete, Pinned, Proven, Loss, Confirmed, InProgress];

    /// <summary>The key of an object.</summary>
    public static string Key(SnapshotId id, string name) => $"{id}/{name}";

    /// <summary>The globals' object.</summary>
    public static string GlobalsName(SnapshotId id, string extension) => $"{id}-globals.sql{extension}";

    /// <summary>
    /// A database's object. Characters that are trouble in file names or URLs are percent-encoded, byte by byte of UTF-8, so that
    /// any name that Postgres allows gives one file name, and different names different ones.
    /// </summary>
    public static string DatabaseName(SnapshotId id, string database, string extension) => $"{id}-{Encoded(database)}.dump{extension}";

    /// <summary>Any text as a part of an object's name.</summary>
    internal static string Encoded(string text)
    {
        var name = new StringBuilder();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            if (char.IsAsciiLetterOrDigit((char)b) || b is (byte)'_' or (byte)'-' or (byte)'.')
            {
                name.Append((char)b);
            }
            else
            {
                name.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
            }
        }

        return name.ToString();
    }
}
