namespace PgBackup.Host;

/// <summary>
/// Whether only root and the user of this process can change a file: a config, a key, a password. Pipes and devices are whoever's gave
/// them.
/// </summary>
public static class TrustedFile
{
    // As many as the kernel follows.
    private const int MostLinks = 40;

    /// <summary>Refuses a file that somebody else can change; one that is not there is for others to complain about.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.UntrustedFile"/>.</exception>
    public static void Require(string? file, string what)
    {
        if (file is { Length: > 0 } && Problem(file) is var (problem, remedy))
        {
            throw new PgBackupException(ErrorCode.UntrustedFile, $"the {what} {problem}", remedy);
        }
    }

    /// <summary>Who else can change it, and the remedy; null when nobody can, or it is not a regular file.</summary>
    public static (string What, string Remedy)? Problem(string file)
    {
        try
        {
            if (file.Contains('\0', StringComparison.Ordinal) || Posix.Look(file, follow: true) is not { IsRegular: true } facts)
            {
                return null;
            }

            return !facts.IsOwnedByUs ? ($"{file} belongs to another user.", $"If it is as you want it: chown {Me} {ShellText.Word(file)}")
                : !facts.IsWrittenByOwnerAlone
                    ? ($"{file} may be written by other users (mode {facts.PermissionText}).", $"chmod go-w {ShellText.Word(file)}")
                : FolderProblem(Path.GetFullPath(file), MostLinks);
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            return null; // it cannot be read either, which its reader says
        }
    }

    /// <summary>A secret that everybody may read: what to say of it, or null.</summary>
    public static string? Warning(string? file)
    {
        try
        {
            return
                file is { Length: > 0 }
                && !file.Contains('\0', StringComparison.Ordinal)
                && Posix.Look(file, follow: true) is { IsRegular: true } facts
                && (facts.Permissions & UnixFileMode.OtherRead) != 0
                ? $"every user of this host may read {file}; chmod 600 {ShellText.Word(file)}"
                : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static string Me => Posix.User == 0 ? "root" : Environment.UserName;

    // Who may rename what is in a folder may put another file there. A link leads on, from a folder that is looked at too.
    private static (string What, string Remedy)? FolderProblem(string path, int links)
    {
        string at = "/";
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (Posix.Look(at, follow: false) is { IsFolder: true, IsWrittenByOwnerAlone: false, IsSticky: false } folder)
            {
                return (
                    $"{path} is in {at}, where other users may exchange it (mode {folder.PermissionText}).",
                    $"chmod go-w {ShellText.Word(at)}"
                );
            }

            at = at == "/" ? at + name : $"{at}/{name}";
            FileFacts? facts = Posix.Look(at, follow: false);
            if (facts is { IsLink: true } && !at.StartsWith("/proc/", StringComparison.Ordinal))
            {
                string? target = new FileInfo(at).LinkTarget;
                return !facts.IsOwnedByUs
                        ? ($"{path} is reached by the link {at}, which belongs to another user.", $"chown -h {Me} {ShellText.Word(at)}")
                    : target is null || links == 0 ? null
                    : FolderProblem(Path.GetFullPath(target + path[at.Length..], Path.GetDirectoryName(at) ?? "/"), links - 1);
            }
        }

        return null;
    }
}
