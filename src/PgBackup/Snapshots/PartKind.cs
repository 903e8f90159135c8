using System.Text.Json.Serialization;

namespace PgBackup.Snapshots;

/// <summary>What a part of a snapshot is a dump of. Manifests hold it as a word: <see cref="PartKinds.Word"/>.</summary>
[JsonConverter(typeof(PartKindConverter))]
public enum PartKind
{
    /// <summary>A word that this version does not know: <see cref="Manifest.Read"/> refuses it.</summary>
    Unknown,

    /// <summary>The roles, memberships and tablespaces of the server.</summary>
    Globals,

    /// <summary>A database.</summary>
    Database,
}

/// <summary>The words of <see cref="PartKind"/>.</summary>
public static class PartKinds
{
    /// <summary>The word in manifests, and for people.</summary>
    public static string Word(this PartKind kind) =>
        kind switch
        {
            PartKind.Globals => "globals",
            PartKind.Database => "database",
            _ => "unknown",
        };
}

/// <summary>A <see cref="PartKind"/> in JSON.</summary>
public sealed class PartKindConverter() : WordConverter<PartKind>(PartKinds.Word, PartKind.Unknown);
