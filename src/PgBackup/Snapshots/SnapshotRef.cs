namespace PgBackup.Snapshots;

/// <summary>What somebody names: a snapshot by its id, or one of three words. Only a comparison takes <c>previous</c> and
/// <c>live</c>.</summary>
public sealed record SnapshotRef
{
    private readonly string text;

    private SnapshotRef(string text, SnapshotId? id)
    {
        this.text = text;
        Id = id;
    }

    /// <summary>The newest complete snapshot of a store.</summary>
    public static SnapshotRef Latest { get; } = new("latest", null);

    /// <summary>The complete snapshot before the other one of a comparison.</summary>
    public static SnapshotRef Previous { get; } = new("previous", null);

    /// <summary>No snapshot: the databases of the config's source, as they are now.</summary>
    public static SnapshotRef Live { get; } = new("live", null);

    /// <summary>The id; null where a word was named.</summary>
    public SnapshotId? Id { get; }

    /// <summary>It is <see cref="Latest"/>.</summary>
    public bool IsLatest => this == Latest;

    /// <summary>It is <see cref="Previous"/>.</summary>
    public bool IsPrevious => this == Previous;

    /// <summary>It is <see cref="Live"/>.</summary>
    public bool IsLive => this == Live;

    /// <summary>The one with this id.</summary>
    public static SnapshotRef Of(SnapshotId id) => new(id.ToString(), id);

    /// <summary>Reads an id or one of the words; null for any other text.</summary>
    public static SnapshotRef? TryParse(string text) =>
        Array.Find([Latest, Previous, Live], word => word.text == text) ?? (SnapshotId.TryParse(text) is { } id ? Of(id) : null);

    /// <summary>Reads what names one snapshot of a store: an id, or <c>latest</c>.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> for any other text.</exception>
    public static SnapshotRef Parse(string text) =>
        TryParse(text) is { } named && (named.IsLatest || named.Id is not null) ? named : throw NoSnapshot(text);

    /// <summary>Reads what names a side of a comparison: an id, or any of the words.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/> for any other text.</exception>
    public static SnapshotRef ParseSide(string text) =>
        TryParse(text)
        ?? throw NoId(
            text,
            "`latest` is the newest complete one, `previous` the complete one before the other, `live` the databases as they are now"
        );

    /// <summary>As it is typed: <see cref="TryParse"/> reads it back.</summary>
    public override string ToString() => text;

    /// <summary>The error of a text that names no snapshot of a store.</summary>
    internal static PgBackupException NoSnapshot(string text) => NoId(text, "`latest` is the newest complete one");

    private static PgBackupException NoId(string text, string words) =>
        new(
            ErrorCode.Usage,
            $"\"{text}\" is not a snapshot id.",
            $"An id looks like 20260301T030000Z; {words}; `olympus-pgbackup list` shows them."
        );
}
