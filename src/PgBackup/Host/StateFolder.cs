namespace PgBackup.Host;

/// <summary>Where this program keeps what it may lose: <c>$STATE_DIRECTORY</c>, which systemd sets (systemd.exec(5)), or
/// <c>olympus-pgbackup</c> below <c>$XDG_STATE_HOME</c> or <c>~/.local/state</c> (XDG Base Directory Specification 0.8).</summary>
public static class StateFolder
{
    /// <summary>The folder. It need not be there.</summary>
    public static string Find()
    {
        if (Environment.GetEnvironmentVariable("STATE_DIRECTORY") is { Length: > 0 } given)
        {
            return given.Split(':')[0];
        }

        string state = Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } named
            ? named
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state");
        return Path.Combine(state, "olympus-pgbackup");
    }
}
