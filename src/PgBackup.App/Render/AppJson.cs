using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using PgBackup.Operations.Backup;
using PgBackup.Operations.Check;
using PgBackup.Operations.Confirm;
using PgBackup.Operations.Diff;
using PgBackup.Operations.Doctor;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Keys;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Restore;
using PgBackup.Operations.Restore.Tables;
using PgBackup.Operations.Status;

namespace PgBackup.App.Render;

/// <summary>What <c>list --json</c> prints for a snapshot.</summary>
internal sealed record ListedSnapshot
{
    public required string Id { get; init; }

    public required ListedState State { get; init; }

    public double? AgeSeconds { get; init; }

    public int? Databases { get; init; }

    public long? Rows { get; init; }

    public long? StoredBytes { get; init; }

    public double? Seconds { get; init; }

    public double? SkewMs { get; init; }

    public bool Proven { get; init; }

    public bool Pinned { get; init; }

    /// <summary>It has a loss that nobody has confirmed.</summary>
    public bool UnconfirmedLoss { get; init; }

    /// <summary>Its losses, confirmed or not; null where its manifest was not read.</summary>
    public IReadOnlyList<Finding>? Losses { get; init; }

    public string? Kept { get; init; }

    public DateTimeOffset? KeptUntil { get; init; }

    public IReadOnlyList<string> Failed { get; init; } = [];

    public string? Problem { get; init; }
}

/// <summary>What <c>list --all-stores --json</c> prints for a snapshot.</summary>
internal sealed record PlacedRow
{
    public required string Id { get; init; }

    public required double AgeSeconds { get; init; }

    /// <summary>How it stands in each store that has it; <c>?</c> for a store that cannot be read.</summary>
    public required IReadOnlyDictionary<string, string> Stores { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(List<ListedSnapshot>))]
[JsonSerializable(typeof(StatusReport))]
[JsonSerializable(typeof(List<PlacedRow>))]
[JsonSerializable(typeof(LoggedRecord))]
[JsonSerializable(typeof(List<LoggedRecord>))]
[JsonSerializable(typeof(CheckReport))]
[JsonSerializable(typeof(DiffReport))]
[JsonSerializable(typeof(DoctorReport))]
[JsonSerializable(typeof(DrillReport))]
[JsonSerializable(typeof(IReadOnlyList<DrillReport>))]
[JsonSerializable(typeof(RunReport))]
[JsonSerializable(typeof(IReadOnlyList<PruneReport>))]
[JsonSerializable(typeof(PinReport))]
[JsonSerializable(typeof(ConfirmReport))]
[JsonSerializable(typeof(KeysReport))]
[JsonSerializable(typeof(KeyTestReport))]
[JsonSerializable(typeof(RestoreReport))]
[JsonSerializable(typeof(TableRestoreReport))]
internal sealed partial class AppJson : JsonSerializerContext
{
    /// <summary>Names of databases stay readable.</summary>
    public static AppJson Readable { get; } =
        new(
            new JsonSerializerOptions
            {
                PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
                WriteIndented = true,
                DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
                Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            }
        );
}
