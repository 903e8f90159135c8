namespace PgBackup.Notifications;

/// <summary>An error in a notice.</summary>
public static class FailureText
{
    /// <summary>What it says. Of the errors of a config, where they are: what they quote may be a secret in the wrong place.</summary>
    public static string Of(PgBackupException error) =>
        error.Code == ErrorCode.ConfigInvalid
            ? string.Join(
                "; ",
                error.Message.Split('\n', StringSplitOptions.TrimEntries).Select(static l => string.Join(": ", l.Split(": ").Take(2)))
            )
            : error.Message;
}
