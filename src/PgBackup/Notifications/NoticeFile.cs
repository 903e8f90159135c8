using System.Text.Json;
using PgBackup.Host;

namespace PgBackup.Notifications;

/// <summary>The memory of notices in a file of this host: <c>notices-CLUSTER.json</c> where programs keep their state.</summary>
/// <param name="path">The file.</param>
public sealed class NoticeFile(string path)
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The file of a cluster: below <c>$STATE_DIRECTORY</c> (systemd's), <c>$XDG_STATE_HOME</c> or
    /// <c>~/.local/state</c>.</summary>
    public static NoticeFile Of(string cluster) => new(Path.Combine(StateFolder.Find(), $"notices-{cluster}.json"));

    /// <summary>Reads it.</summary>
    /// <returns>Null where there is none, or what is there makes no sense.</returns>
    public NoticeMemory? TryRead()
    {
        try
        {
            return TrustedFile.Problem(path) is null && NamedFile.IsRegular(path) is true
                ? JsonSerializer.Deserialize(SmallFile.Bytes(path).Bytes, NoticeJson.Default.NoticeMemory)
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Reads it, changes it and writes it, whole or not at all. Another process waits meanwhile, for half a second at
    /// most.</summary>
    /// <param name="known">What is remembered where it cannot be read.</param>
    /// <param name="change">What changes.</param>
    /// <returns>What it has now; also where it could not be written: then people are told again.</returns>
    public NoticeMemory Update(NoticeMemory known, Func<NoticeMemory, NoticeMemory> change)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, Private | UnixFileMode.UserExecute);
            using FileStream? held = Lock();
            NoticeMemory changed = change(TryRead() ?? known);
            string half = $"{path}.{Path.GetRandomFileName()}.tmp";
            try
            {
                var options = new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = Private,
                };
                using (var stream = new FileStream(half, options))
                {
                    stream.Write(JsonSerializer.SerializeToUtf8Bytes(changed, NoticeJson.Default.NoticeMemory));
                }

                File.Move(half, path, overwrite: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                File.Delete(half);
            }

            return changed;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return change(known); // no place for state: it lasts as long as this process
        }
    }

    // Held for milliseconds. Whoever still has none goes on without: one notice twice is better than none.
    private FileStream? Lock()
    {
        for (int i = 0; i < 10; i++)
        {
            try
            {
                return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException)
            {
                Thread.Sleep(TimeSpan.FromMilliseconds(50));
            }
        }

        return null;
    }
}
