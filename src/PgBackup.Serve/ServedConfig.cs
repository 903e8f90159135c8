using PgBackup.Configuration;
using PgBackup.Host;

namespace PgBackup.Serve;

/// <summary>
/// The config in use: the file as it was read last without errors. While the file is wrong, jobs get a copy of what was right, so that a
/// slip of the pen costs no night.
/// </summary>
internal sealed class ServedConfig
{
    private readonly string file;
    private readonly string folder;
    private readonly bool opensAgain;
    private string text;
    private (long Length, DateTime Written) seen;

    private ServedConfig(string file, string folder, string text, BackupConfig config)
    {
        this.file = file;
        this.folder = folder;
        // A pipe gives its content once.
        opensAgain = NamedFile.IsRegular(File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file) == true;
        this.text = text;
        Config = config;
        seen = Look(file);
    }

    /// <summary>The config in use.</summary>
    public BackupConfig Config { get; private set; }

    /// <summary>Why the file is not in use as it is now; null where it is.</summary>
    public PgBackupException? Problem { get; private set; }

    /// <summary>Reads the file.</summary>
    /// <param name="file">The file.</param>
    /// <param name="folder">For the copy, where one is needed.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>, <see cref="ErrorCode.UntrustedFile"/>.</exception>
    public static ServedConfig Open(string file, string folder, CancellationToken cancel)
    {
        (string text, BackupConfig config) = Read(file, cancel);
        return new ServedConfig(file, folder, text, config);
    }

    /// <summary>The file was written since it was read, or is gone.</summary>
    public bool HasChanged => Look(file) != seen;

    /// <summary>Reads the file again. Where it is wrong, the old config stays.</summary>
    /// <param name="accept">Looks at the new config; what it throws is an error of it.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>False where the old one stays.</returns>
    public bool TryReload(Action<BackupConfig> accept, CancellationToken cancel)
    {
        // Until it is judged, it counts as changed: a job that begins meanwhile gets what is in use.
        (long Length, DateTime Written) judged = Look(file);
        try
        {
            (string read, BackupConfig config) = Read(file, cancel);
            accept(config);
            (text, Config, Problem) = (read, config, null);
        }
        catch (PgBackupException e)
        {
            Problem = e;
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            Problem = new PgBackupException(ErrorCode.Unexpected, $"{file} cannot be read: {e.GetType().Name}: {e.Message}", null, e);
        }

        seen = judged;
        return Problem is null;
    }

    /// <summary>The file for jobs: the file itself while it is in use as it is, else a copy of what is in use.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ConfigInvalid"/>: there is no room for the copy.</exception>
    public string FileForJobs()
    {
        if (Problem is null && !HasChanged && opensAgain)
        {
            return file;
        }

        string copy = Path.Combine(folder, $"serve-{Config.Cluster}.yaml");
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            string half = $"{copy}.{Path.GetRandomFileName()}";
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            using (var writer = new StreamWriter(half, options))
            {
                writer.Write(text);
            }

            File.Move(half, copy, overwrite: true);
            return copy;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PgBackupException(
                ErrorCode.ConfigInvalid,
                $"{file} is wrong, and the config in use cannot be kept in {copy}: {e.Message}",
                $"Mend {file}.",
                e
            );
        }
    }

    private static (string Text, BackupConfig Config) Read(string file, CancellationToken cancel)
    {
        try
        {
            TrustedFile.Require(file, "config file");
            string text = SmallFile.Text(file, TimeSpan.FromSeconds(10), cancel);
            // A host that takes no snapshots need not know the source.
            bool takes = ConfigReader.ParseStores(text, file).Schedule?.Jobs.Any(static j => j.Kind == JobKind.Run) == true;
            return (text, takes ? ConfigReader.ParseForBackup(text, file) : ConfigReader.ParseStores(text, file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PgBackupException(
                ErrorCode.ConfigInvalid,
                $"the config file {file} cannot be read: {e.Message}",
                "Check its owner and mode.",
                e
            );
        }
    }

    private static (long Length, DateTime Written) Look(string file)
    {
        try
        {
            // A link counts as what it leads to.
            var info = new FileInfo(File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file);
            return (info.Length, info.LastWriteTimeUtc);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (-1, default); // it is being replaced, or is gone: what is in use stays
        }
    }
}
