using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>pg_dump, pg_restore, pg_dumpall and psql of one major version, and where they run.</summary>
public sealed partial record PostgresTools
{
    // Where packages put their versions side by side. /usr/bin/pg_dump of Debian guesses a version: it comes last, by PATH.
    private static readonly string[] VersionFolders =
    [
        "/usr/lib/postgresql",
        "/usr/pgsql-",
        "/usr/local/pgsql-",
        "/opt/homebrew/opt/postgresql@",
        "/usr/local/opt/postgresql@",
        "/opt/postgresql/",
    ];

    /// <summary>Where they run.</summary>
    public required ToolHost Host { get; init; }

    /// <summary>The full version as the tool says it, for instance <c>17.11</c>.</summary>
    public required string Version { get; init; }

    /// <summary>The major version.</summary>
    public int Major => MajorOf(Version);

    /// <summary>The tools of one place, asked for their version.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolMissing"/>.</exception>
    public static async Task<PostgresTools> AtAsync(ToolHost host, CancellationToken cancel)
    {
        await using ToolProcess tool = await host.StartAsync(new ToolCommand("pg_dump", "--version"), cancel);
        ToolResult result = await tool.FinishAsync(null, cancel);
        Match match = VersionPattern().Match(result.Output);
        // Of podman and docker, 127 says that the tool is missing; 125, 126 and 255 that nothing was started (podman-exec(1), "Exit
        // Codes").
        if (result.ExitCode is 125 or 126 or 255 && host is ContainerTools inside)
        {
            throw new PgBackupException(
                ErrorCode.ContainerUnavailable,
                $"nothing can be started {host.Place}: {Quotation.Joined(result.Errors, 2, " ")}",
                $"Try it by hand: {inside.EngineProgram} exec {ShellText.Word(inside.Container)} pg_dump --version. A low `ulimit -n` "
                    + $"of the shell that starts the backup is one reason."
            );
        }

        return result.ExitCode == 0 && match.Success
            ? new PostgresTools { Host = host, Version = match.Groups[1].Value }
            : throw new PgBackupException(
                ErrorCode.ToolMissing,
                $"there is no pg_dump {host.Place}: {Quotation.Joined(result.Errors, 2, " ")}",
                "Install the client tools of Postgres there (pg_dump, pg_restore, pg_dumpall, psql)."
            );
    }

    /// <summary>All versions installed on this host, newest first; or only those in a folder of one major version.</summary>
    public static async Task<IReadOnlyList<PostgresTools>> OnHostAsync(TimeProvider clock, CancellationToken cancel, int? major = null)
    {
        List<PostgresTools> found = [];
        foreach (string? folder in HostFolders().Where(f => major is null || (f is not null && LastDigits().Match(f).Value == $"{major}")))
        {
            try
            {
                found.Add(await AtAsync(new HostTools(folder, clock), cancel));
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
            {
                // a folder without them
            }
        }

        return [.. found.Where(t => major is null || t.Major == major).OrderByDescending(static t => t.Major)];
    }

    /// <summary>The major version of <c>17.11</c> or <c>18beta1</c>.</summary>
    public static int MajorOf(string version) => int.Parse(LeadingDigits().Match(version).Value, CultureInfo.InvariantCulture);

    private static IEnumerable<string?> HostFolders()
    {
        foreach (string root in VersionFolders)
        {
            string parent = Path.GetDirectoryName(root) ?? "/";
            IEnumerable<string> folders =
                root.EndsWith('-') || root.EndsWith('@') ? Matching(parent, Path.GetFileName(root) + "*") : Matching(root, "*");
            foreach (string folder in folders)
            {
                string bin = Path.Combine(folder, "bin");
                if (File.Exists(Path.Combine(bin, "pg_dump")))
                {
                    yield return bin;
                }
            }
        }

        yield return null;
    }

    private static string[] Matching(string folder, string pattern) =>
        Directory.Exists(folder) ? Directory.GetDirectories(folder, pattern) : [];

    [GeneratedRegex(@"\(PostgreSQL\) (\d+(?:\.\d+|\w+)?)")]
    private static partial Regex VersionPattern();

    [GeneratedRegex(@"\d+(?=/bin$)")]
    private static partial Regex LastDigits();

    [GeneratedRegex(@"^\d+")]
    private static partial Regex LeadingDigits();
}
