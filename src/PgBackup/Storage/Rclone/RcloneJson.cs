using System.Text.Json.Serialization;
using PgBackup.Host;

namespace PgBackup.Storage.Rclone;

/// <summary>What rclone prints as JSON, and our own lock.</summary>
[JsonSerializable(typeof(RcloneItem))]
[JsonSerializable(typeof(List<RcloneItem>))]
[JsonSerializable(typeof(RcloneRemote))]
[JsonSerializable(typeof(RcloneLockText))]
internal sealed partial class RcloneJson : JsonSerializerContext;

/// <summary>One line of <c>rclone lsjson</c>.</summary>
internal sealed record RcloneItem
{
    /// <summary>The path below what was listed.</summary>
    public required string Path { get; init; }

    /// <summary>The size in bytes; negative where the remote does not report it.</summary>
    public required long Size { get; init; }

    /// <summary>When it was written.</summary>
    public DateTimeOffset ModTime { get; init; }

    /// <summary>It is a folder.</summary>
    public bool IsDir { get; init; }

    /// <summary>The digests that the remote reports, by rclone's names.</summary>
    public IReadOnlyDictionary<string, string>? Hashes { get; init; }
}

/// <summary>What <c>rclone backend features</c> reports about a remote.</summary>
internal sealed record RcloneRemote
{
    /// <summary>The path in the remote: for a store of buckets <c>BUCKET</c> or <c>BUCKET/PREFIX</c>.</summary>
    public string Root { get; init; } = "";

    /// <summary>The digests that it knows, by rclone's names.</summary>
    public IReadOnlyList<string>? Hashes { get; init; }

    /// <summary>What it can do.</summary>
    public RcloneAbilities Features { get; init; } = new();
}

/// <summary>What a remote can do.</summary>
internal sealed record RcloneAbilities
{
    /// <summary>It has objects in buckets, and no folders: an object appears when its upload is complete.</summary>
    public bool BucketBased { get; init; }
}

/// <summary>The lock of one run, as it is stored.</summary>
internal sealed record RcloneLockText
{
    /// <summary>Who holds it.</summary>
    [JsonPropertyName("holder")]
    public required string Holder { get; init; }

    /// <summary>Until when, unless it is renewed.</summary>
    [JsonPropertyName("expires")]
    public required DateTimeOffset Expires { get; init; }

    /// <summary>For <see cref="ProcessMark.IsGone"/>.</summary>
    [JsonPropertyName("process")]
    public string? Process { get; init; }
}
