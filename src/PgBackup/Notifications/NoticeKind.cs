using System.Text.Json.Serialization;

namespace PgBackup.Notifications;

/// <summary>Why a notice is sent.</summary>
[JsonConverter(typeof(NoticeKindConverter))]
public enum NoticeKind
{
    /// <summary>Something became wrong.</summary>
    Red,

    /// <summary>It is still wrong, a day later.</summary>
    Reminder,

    /// <summary>Somebody should look.</summary>
    Yellow,

    /// <summary>It is not wrong any more.</summary>
    Recovered,

    /// <summary>A drill ended.</summary>
    Drill,

    /// <summary>A person has confirmed losses.</summary>
    Confirmed,

    /// <summary>A run started, for a dead man's switch.</summary>
    Start,

    /// <summary>A run ended, for a dead man's switch.</summary>
    Run,

    /// <summary>A test of the channel.</summary>
    Test,

    /// <summary>A reminder to test the private keys.</summary>
    Keys,
}

/// <summary>The words of <see cref="NoticeKind"/>.</summary>
public static class NoticeKinds
{
    /// <summary>The word in JSON.</summary>
    public static string Word(this NoticeKind kind) =>
        kind switch
        {
            NoticeKind.Red => "red",
            NoticeKind.Reminder => "reminder",
            NoticeKind.Yellow => "yellow",
            NoticeKind.Recovered => "recovered",
            NoticeKind.Drill => "drill",
            NoticeKind.Confirmed => "confirmed",
            NoticeKind.Start => "start",
            NoticeKind.Run => "run",
            NoticeKind.Keys => "keys",
            _ => "test",
        };
}

/// <summary>A <see cref="NoticeKind"/> in JSON.</summary>
public sealed class NoticeKindConverter() : WordConverter<NoticeKind>(NoticeKinds.Word);
