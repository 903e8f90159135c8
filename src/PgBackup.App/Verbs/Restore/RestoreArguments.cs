using PgBackup.Operations.Restore;
using PgBackup.Snapshots;

namespace PgBackup.App.Verbs.Restore;

/// <summary>What was asked of <c>restore</c>, as it was typed.</summary>
internal sealed record RestoreArguments
{
    /// <summary>The snapshot.</summary>
    public required SnapshotRef Snapshot { get; init; }

    /// <summary>The databases; empty for all of the snapshot.</summary>
    public required IReadOnlyList<string> Databases { get; init; }

    /// <summary>The server to restore into; null where the dialogue asks for everything.</summary>
    public required string? Target { get; init; }

    /// <summary>Another name for the one database.</summary>
    public required string? As { get; init; }

    /// <summary>Single tables; empty for whole databases.</summary>
    public required IReadOnlyList<string> Tables { get; init; }

    /// <summary>The new schema for the tables.</summary>
    public required string? Schema { get; init; }

    /// <summary>What happens to a database that has something in it.</summary>
    public required WhenNotEmpty WhenNotEmpty { get; init; }

    /// <summary>Ask nothing.</summary>
    public required bool Yes { get; init; }

    /// <summary>The roles first.</summary>
    public required bool Globals { get; init; }

    /// <summary>Jobs of pg_restore.</summary>
    public required int Jobs { get; init; }

    /// <summary>A file with the password of the target's role.</summary>
    public required string? PasswordFile { get; init; }

    /// <summary>A remote target may have less than <c>sslmode=verify-full</c>.</summary>
    public required bool AcceptWeakTls { get; init; }

    /// <summary>An image with the client tools.</summary>
    public required string? ToolsImage { get; init; }

    /// <summary>The store to restore from; null for the first.</summary>
    public required string? Store { get; init; }
}
