namespace PgBackup.IntegrationTests.Support;

/// <summary>
/// Stops a run in mid-dump, as long as the test wants: a <c>gpg</c> before the real one on PATH that, when it encrypts a dump, passes on
/// 256 KiB and then waits. The dumps of databases larger than the pipes then stand still in the middle of a COPY. With
/// <c>--decrypt</c> it stops a restore in the same way, after letting some calls pass.
/// </summary>
internal sealed class Hold : IDisposable
{
    private readonly string folder;

    public Hold(Workspace workspace, string doing = "--encrypt", int passing = 0)
    {
        folder = Path.Combine(workspace.Folder, "hold-" + Guid.NewGuid().ToString("N")[..8]);
        Directory.CreateDirectory(folder);
        workspace.PutOnPath(
            "gpg",
            $$"""
            #!/bin/sh
            case " $* " in
            *" --armor "*) exec /usr/bin/gpg "$@" ;;
            *" {{doing}} "*|*" {{doing}}") ;;
            *) exec /usr/bin/gpg "$@" ;;
            esac
            [ ! -e {{folder}}/go ] || exec /usr/bin/gpg "$@"
            n=0; while [ $n -lt {{passing}} ]; do if mkdir {{folder}}/pass-$n 2>/dev/null; then exec /usr/bin/gpg "$@"; fi; n=$((n + 1)); done
            { dd bs=64k count=4 iflag=fullblock 2>/dev/null; : >{{folder}}/in-$$; while [ -d {{folder}} ] && [ ! -e {{folder}}/go ]; do sleep 0.05; done; cat; } | /usr/bin/gpg "$@"
            """
        );
    }

    /// <summary>Waits until so many parts stand still.</summary>
    public Task EnteredAsync(int parts) =>
        Shell.UntilAsync(() => Task.FromResult(Directory.GetFiles(folder, "in-*").Length >= parts), $"{parts} parts are held in mid-dump");

    /// <summary>Lets everything go on, now and later.</summary>
    public void Release() => File.WriteAllText(Path.Combine(folder, "go"), "");

    public void Dispose()
    {
        if (Directory.Exists(folder))
        {
            Release();
        }
    }
}
