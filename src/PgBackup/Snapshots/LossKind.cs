using System.Text.Json.Serialization;

namespace PgBackup.Snapshots;

/// <summary>The kinds of <see cref="Loss"/>.</summary>
[JsonConverter(typeof(LossKindConverter))]
public enum LossKind
{
    /// <summary>A kind of a newer version.</summary>
    Unknown,

    /// <summary>A database is not in the snapshot any more.</summary>
    DatabaseGone,

    /// <summary>A table is not in its database any more.</summary>
    TableGone,

    /// <summary>A column is not in its table any more.</summary>
    ColumnGone,

    /// <summary>A table of ten rows or more has none.</summary>
    TableEmptied,

    /// <summary>A table has less than half of its rows.</summary>
    TableShrunk,
}

/// <summary>The words of <see cref="LossKind"/>.</summary>
public static class LossKinds
{
    /// <summary>The word in JSON.</summary>
    public static string Word(this LossKind kind) =>
        kind switch
        {
            LossKind.DatabaseGone => "database_gone",
            LossKind.TableGone => "table_gone",
            LossKind.ColumnGone => "column_gone",
            LossKind.TableEmptied => "table_emptied",
            LossKind.TableShrunk => "table_shrunk",
            _ => "unknown",
        };
}

/// <summary>A <see cref="LossKind"/> in JSON.</summary>
public sealed class LossKindConverter() : WordConverter<LossKind>(LossKinds.Word, LossKind.Unknown);
