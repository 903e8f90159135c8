namespace PgBackup.Records;

/// <summary>Who runs this program.</summary>
internal static class Operator
{
    /// <summary>
    /// The login name of the process's user; after sudo also the name of who called it: <c>root (sudo by alice)</c>. The first one is the
    /// kernel's and the system's, the second one what the environment says: it helps to remember, and proves nothing.
    /// </summary>
    public static string Login { get; } = LoginOf(Environment.UserName, Environment.GetEnvironmentVariable("SUDO_USER"));

    /// <summary>The same of these two.</summary>
    internal static string LoginOf(string user, string? sudo) =>
        string.IsNullOrEmpty(sudo) || sudo == user ? user : $"{user} (sudo by {sudo})";
}
