using PgBackup.Host;

namespace PgBackup.Serve;

/// <summary>One service for each cluster on a host. Two hosts may serve the same one: the stores' own locks keep them apart.</summary>
internal static class ServeLock
{
    /// <summary>Takes the lock until the stream is disposed.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.AlreadyServing"/>; <see cref="ErrorCode.ConfigInvalid"/>: the folder of the
    /// state cannot be written.</exception>
    public static FileStream Take(string cluster)
    {
        string folder = StateFolder.Find();
        string file = Path.Combine(folder, $"serve-{cluster}.lock");
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(file))
        {
            throw new PgBackupException(
                ErrorCode.AlreadyServing,
                $"another serve of the cluster {cluster} runs on this host ({file} is locked).",
                "Stop it first. A changed config is read by itself, and on SIGHUP.",
                e
            );
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PgBackupException(
                ErrorCode.ConfigInvalid,
                $"the folder of the state, {folder}, cannot be written: {e.Message}",
                "Let STATE_DIRECTORY (StateDirectory= in a unit of systemd) or XDG_STATE_HOME name one that can.",
                e
            );
        }
    }
}
