using System.Globalization;
using PgBackup.Configuration;
using PgBackup.Host;
using PgBackup.Operations.Restore;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Tools;

namespace PgBackup.Operations.Doctor;

/// <summary>The server that a drill would restore into: its engine and image, its memory and disk; or the one that the config
/// names.</summary>
internal sealed class DrillExamination(DrillConfig config, NewestSnapshot newest, DoctorHost host, TimeProvider clock)
{
    // A scratch server with nothing in it, and the tools beside it.
    private const long LeastMemory = 512L << 20;

    // Its own files, and the WAL of a restore.
    private const long LeastDisk = 1L << 30;

    /// <summary>Looks at all of it.</summary>
    /// <param name="major">The server's major version, if it is known: asked for where there is no snapshot yet.</param>
    /// <param name="sheet">Where it is written down.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task RunAsync(Func<Task<int?>> major, Sheet sheet, CancellationToken cancel)
    {
        sheet.Doing = "looking for the newest snapshot";
        Manifest? manifest = await newest.FindAsync(cancel);
        if (config.Target is { } connection)
        {
            await TargetAsync(connection, manifest, sheet, cancel);
            return;
        }

        if (config.Scratch == "host")
        {
            sheet.Doing = "looking for the server's binaries on this host";
            PostgresTools tools = await ScratchServer.RequireOnHostAsync(clock, cancel);
            sheet.Add($"scratch server: Postgres {tools.Version} {tools.Host.Place}");
            Memory(sheet);
            Disk(Path.GetTempPath(), manifest, sheet);
            return;
        }

        string engine = config.Scratch ?? "podman";
        int? wanted = manifest is not null ? PostgresTools.MajorOf(manifest.ServerVersion) : await major();
        await EngineAsync(engine, wanted, manifest, sheet, cancel);
    }

    private async Task EngineAsync(string engine, int? major, Manifest? manifest, Sheet sheet, CancellationToken cancel)
    {
        sheet.Doing = $"asking {engine} for its images";
        var containers = new ContainerEngine(engine, clock);
        string? image =
            config.Image ?? (major is { } m ? string.Create(CultureInfo.InvariantCulture, $"docker.io/library/postgres:{m}") : null);
        string folder = await containers.DataFolderAsync(cancel);
        if (image is not null)
        {
            sheet.Add(
                $"the image of the scratch server: {image}",
                await containers.HasImageAsync(image, cancel)
                    ? []
                    :
                    [
                        Finding.Warning(
                            ErrorCode.ImageMissing,
                            image,
                            $"{engine} has no image {image}, which a drill starts its server of",
                            "it would be pulled then, on a day when the registry may not answer",
                            $"{engine} pull {ShellText.Word(image)}"
                        ),
                    ]
            );
        }

        Memory(sheet);
        Disk(folder, manifest, sheet);
    }

    // An existing server: it must let the role make databases and roles, and have none of the snapshot's.
    private async Task TargetAsync(PgConnection connection, Manifest? manifest, Sheet sheet, CancellationToken cancel)
    {
        var target = new RestoreTarget { Connection = connection.WithPasswordOf(config.TargetPasswordFile), ToolsImage = config.Image };
        string[] databases = manifest is null ? [] : [.. manifest.Databases.Select(static p => p.Database!)];
        sheet.Doing = $"asking {connection} what is there";
        TargetSurvey survey = await TargetSurvey.ReadAsync(target, databases, clock, cancel);
        List<Finding> findings = [];
        if (!survey.MayMake)
        {
            findings.Add(
                Finding.Error(
                    ErrorCode.DrillTargetLimited,
                    survey.Target,
                    survey.IsReadOnly
                        ? $"{survey.Target} is read-only (a standby), so a drill cannot restore into it"
                        : $"{survey.Role} may not make databases on {survey.Target}, so a drill cannot restore into it",
                    null,
                    survey.IsReadOnly
                        ? "Name a primary in drill.scratch, or write scratch: podman"
                        : $"As a superuser there: ALTER ROLE {Identifier.Quoted(survey.Role)} CREATEDB CREATEROLE;"
                )
            );
        }

        if (manifest is not null && PostgresTools.MajorOf(survey.Version) < PostgresTools.MajorOf(manifest.ServerVersion))
        {
            findings.Add(
                Finding.Error(
                    ErrorCode.TargetTooOld,
                    survey.Target,
                    $"{survey.Target} runs Postgres {survey.Version}, older than the snapshot's {manifest.ServerVersion}",
                    null,
                    "Name a server of the same version or a newer one in drill.scratch, or write scratch: podman"
                )
            );
        }

        string[] there = [.. survey.Databases.Where(static d => d.IsThere).Select(static d => d.Name)];
        if (there.Length > 0)
        {
            findings.Add(
                Finding.Error(
                    ErrorCode.TargetNotEmpty,
                    survey.Target,
                    $"{survey.Target} has {string.Join(", ", there)} already, so a drill there is refused",
                    "a drill makes the databases and removes them again, and touches no others",
                    "Name a server in drill.scratch that has none of the databases, or write scratch: podman"
                )
            );
        }

        sheet.Add($"the server for drills: {survey.Target}, Postgres {survey.Version}, as {survey.Role}", findings);
    }

    private void Memory(Sheet sheet)
    {
        if (MemoryAvailable() is not { } available)
        {
            return;
        }

        sheet.Add(
            $"memory for a drill: {ByteSize.Text(available)} available",
            available >= LeastMemory
                ? []
                :
                [
                    Finding.Warning(
                        ErrorCode.MemoryShort,
                        "drill",
                        $"{ByteSize.Text(available)} of memory are available, and a drill needs {ByteSize.Text(LeastMemory)}",
                        "the kernel may end the drill, or another program of this host, in the middle of it",
                        "`ps aux --sort=-rss` shows who has it. Hold drills on another host, or at another time"
                    ),
                ]
        );
    }

    private long? MemoryAvailable()
    {
        try
        {
            string? line = File.ReadLines(host.MemoryFile)
                .FirstOrDefault(static l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
            return
                line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var kib, ..]
                && long.TryParse(kib, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
                ? number * 1024
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // a system without it; nothing depends on it
        }
    }

    // Tables take about what COPY writes, and indexes as much again.
    private void Disk(string folder, Manifest? manifest, Sheet sheet)
    {
        if (manifest is null || host.Free(folder) is not { } free)
        {
            return;
        }

        long needed = (manifest.Databases.Sum(static p => p.Proof.Bytes) * 2) + LeastDisk;
        sheet.Add(
            $"disk for a drill: {ByteSize.Text(free)} free in {folder}",
            free >= needed
                ? []
                :
                [
                    Finding.Error(
                        ErrorCode.DiskShort,
                        "drill",
                        $"{folder} has {ByteSize.Text(free)} free, and a drill of {manifest.Id} needs about {ByteSize.Text(needed)}",
                        "the restored databases lie there while they are compared",
                        $"Make room (`df -h {ShellText.Word(folder)}`), or hold drills on another host"
                    ),
                ]
        );
    }
}
