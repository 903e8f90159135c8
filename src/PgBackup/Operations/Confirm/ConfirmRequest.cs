using PgBackup.Losses;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Confirm;

/// <summary>What a person confirms.</summary>
public sealed record ConfirmRequest
{
    /// <summary>The snapshot that has the losses: an id, or <c>latest</c>.</summary>
    public required SnapshotRef Snapshot { get; init; }

    /// <summary>Only losses of these, as <c>DB.SCHEMA.TABLE</c> (and its columns), <c>DB.SCHEMA.TABLE.COLUMN</c>, or <c>DB</c> for a whole
    /// database that is gone; quotes may be left out. Empty for all losses of the snapshot.</summary>
    public IReadOnlyList<string> Of { get; init; } = [];

    /// <summary>The store in which the snapshot is looked for; null for all of them, in their order.</summary>
    public string? Store { get; init; }

    /// <summary>Why that is right, or null.</summary>
    public string? Note { get; init; }

    /// <summary>The losses that are meant.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>: a name that none of them has.</exception>
    internal IReadOnlyList<JudgedLoss> Choose(IReadOnlyList<JudgedLoss> losses)
    {
        if (Of.FirstOrDefault(name => !losses.Any(l => ExpectedLosses.Names(name, l.Loss))) is { } unknown)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"--table {unknown}: the snapshot {losses[0].Snapshot} has no loss of that name.",
                $"It has {string.Join(", ", losses.Select(static l => Foreign.Line(l.Loss.Subject)))}."
            );
        }

        return Of.Count == 0 ? losses : [.. losses.Where(l => Of.Any(name => ExpectedLosses.Names(name, l.Loss)))];
    }
}
