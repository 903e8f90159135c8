using System.Text.Json.Serialization;

namespace PgBackup.Records;

/// <summary>What a <see cref="Record"/> is of.</summary>
[JsonConverter(typeof(RecordKindConverter))]
public enum RecordKind
{
    /// <summary>A kind of a newer version.</summary>
    Unknown,

    /// <summary>The nightly job, or a snapshot alone.</summary>
    Run,

    /// <summary>A removal by the rules, by hand.</summary>
    Prune,

    /// <summary>A restore into a server.</summary>
    Restore,

    /// <summary>A rehearsal; its report is in <c>drills/</c>.</summary>
    Drill,

    /// <summary>A test of a private key.</summary>
    KeyTest,

    /// <summary>A person has looked at losses.</summary>
    Confirm,

    /// <summary>A snapshot was pinned.</summary>
    Pin,

    /// <summary>A snapshot was unpinned.</summary>
    Unpin,

    /// <summary>A repair of what a check found.</summary>
    Repair,

    /// <summary>Somebody was told how the backups stand.</summary>
    Notice,

    /// <summary>A check that found nothing damaged, or could not look.</summary>
    Check,

    /// <summary>A check that found something damaged. A kind of its own: a name alone tells that there is something to read.</summary>
    Damage,

    /// <summary>Somebody was reminded to test the private keys.</summary>
    KeyReminder,
}

/// <summary>The words of <see cref="RecordKind"/>, in names of records and in JSON.</summary>
public static class RecordKinds
{
    /// <summary>The word.</summary>
    public static string Word(this RecordKind kind) =>
        kind switch
        {
            RecordKind.Run => "run",
            RecordKind.Prune => "prune",
            RecordKind.Restore => "restore",
            RecordKind.Drill => "drill",
            RecordKind.KeyTest => "key-test",
            RecordKind.Confirm => "confirm",
            RecordKind.Pin => "pin",
            RecordKind.Unpin => "unpin",
            RecordKind.Repair => "repair",
            RecordKind.Notice => "notice",
            RecordKind.Check => "check",
            RecordKind.Damage => "damage",
            RecordKind.KeyReminder => "key-reminder",
            _ => "unknown",
        };

    /// <summary>The kind of a word; <see cref="RecordKind.Unknown"/> for one of a newer version.</summary>
    public static RecordKind Of(string word) => Known.FirstOrDefault(k => k.Word() == word);

    /// <summary>Every kind that this version writes.</summary>
    public static IReadOnlyList<RecordKind> Known { get; } = [.. Enum.GetValues<RecordKind>().Where(static k => k != RecordKind.Unknown)];
}

/// <summary>A <see cref="RecordKind"/> in JSON.</summary>
public sealed class RecordKindConverter() : WordConverter<RecordKind>(RecordKinds.Word, RecordKind.Unknown);
