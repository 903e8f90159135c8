using System.Globalization;
using PgBackup.Operations.Keys;

namespace PgBackup.Notifications;

/// <summary>What a reminder of the private keys says. Pure.</summary>
internal static class KeyReminder
{
    /// <summary>Each key that decrypts snapshots, and when it last did.</summary>
    public static Finding Of(KeysReport report, DateTimeOffset now) =>
        Finding.Note(
            ErrorCode.KeyUntested,
            "",
            "the private keys: " + string.Join("; ", report.Keys.Select(k => Standing(k, now))),
            fix: "Run `olympus-pgbackup keys test --identity FILE` where each key is"
        );

    private static string Standing(KeyState key, DateTimeOffset now)
    {
        string name = KeyFindings.Short(key.Name);
        string until = key.Expires is { } expires
            ? string.Create(CultureInfo.InvariantCulture, $", usable until {expires.UtcDateTime:yyyy-MM-dd}")
            : "";
        return key.LastTested is { } last
            ? $"{name} decrypted a snapshot {Words.Age(now - last)} ago{until}"
            : $"{name} was never tested{until}";
    }
}
