using System.Globalization;

namespace PgBackup.Tools;

/// <summary>What a container is like for the tools of Postgres in it: where its server listens, and which variables of libpq it
/// sets.</summary>
/// <param name="Variables">The variables of libpq in the container's environment.</param>
/// <param name="Host">The folder of the socket, or the address, of the server in it; null where it is not known, or the container says it
/// itself.</param>
/// <param name="Port">The port, as with <paramref name="Host"/>.</param>
internal sealed record ContainerSurroundings(IReadOnlySet<string> Variables, string? Host, int? Port)
{
    /// <summary>Nothing is known, and nothing is set.</summary>
    public static readonly ContainerSurroundings Unknown = new(new HashSet<string>(), null, null);

    // Places that libpq knows by itself, by how it was built.
    private static readonly string[] UsualFolders = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

    // The server itself says where it listens: the lines of postmaster.pid are its id, data folder, start, port, first folder of sockets
    // and first address (PostgreSQL source, miscadmin.h). Else the kernel does: proc_net(5) lists sockets, those that listen with the
    // flag 00010000.
    private const string Script = """
        env | sed -n 's/^\(PG[A-Z0-9_]*\)=.*/variable \1/p'
        case $PGHOST in /*) echo "own PGHOST" ;; esac
        [ -z "$PGPORT" ] || echo "own PGPORT"
        {
          read -r x && read -r x && read -r x && read -r port && read -r folder && read -r address
          if [ -S "$folder/.s.PGSQL.$port" ]; then echo "server $port $folder"
          elif [ -z "$folder" ] && [ -n "$address" ]; then echo "server $port $address"; fi
        } 2>/dev/null <"${PGDATA:-/var/lib/postgresql/data}/postmaster.pid"
        sed -n 's#^.* 00010000 .* \(/.*\)/\.s\.PGSQL\.\([0-9]*\)$#\2 \1#p' /proc/net/unix 2>/dev/null | sort -u |
        while read -r port folder; do
          [ -S "$folder/.s.PGSQL.$port" ] && echo "socket $port $folder"
        done
        exit 0
        """;

    /// <summary>Asks a container in which the tools are beside their server.</summary>
    /// <param name="start">Starts a command in it.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>What it is like; unknown where it has no shell to ask.</returns>
    public static async Task<ContainerSurroundings> AskAsync(Func<ToolCommand, Task<ToolProcess>> start, CancellationToken cancel)
    {
        try
        {
            await using ToolProcess asked = await start(new ToolCommand("sh", "-c", Script).Named("sh (looking around in the container)"));
            ToolResult result = await asked.FinishAsync(null, cancel);
            return result.ExitCode == 0 ? Read(result.Output) : Unknown;
        }
        catch (PgBackupException) when (!cancel.IsCancellationRequested)
        {
            return Unknown; // the first tool reports whatever is wrong with the container
        }
    }

    /// <summary>Reads what the script printed.</summary>
    internal static ContainerSurroundings Read(string output)
    {
        string[][] lines = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => l.Split(' ', 3))];
        HashSet<string> variables = [.. lines.Where(static l => l is ["variable", _]).Select(static l => l[1])];
        HashSet<string> own = [.. lines.Where(static l => l is ["own", _]).Select(static l => l[1])];
        variables.ExceptWith(own);
        (string Kind, string Folder, int Port)[] found =
        [
            .. lines
                .Where(static l => l is ["server" or "socket", _, _])
                .Select(static l =>
                    (l[0], l[2], int.TryParse(l[1], NumberStyles.None, CultureInfo.InvariantCulture, out int port) ? port : 0)
                )
                .Where(static l => l.Item3 > 0),
        ];
        (string Kind, string Folder, int Port)[] servers = [.. found.Where(static f => f.Kind == "server")];
        if (servers.Length == 0)
        {
            // A pooler has a socket, too: one of several is taken only if libpq would.
            servers = [.. found.Where(static f => f.Port == 5432 && UsualFolders.Contains(f.Folder, StringComparer.Ordinal)).Take(1)];
            servers = servers.Length > 0 ? servers : found;
        }

        return own.Count > 0 || servers.Length != 1
            ? new ContainerSurroundings(variables, null, null)
            : new ContainerSurroundings(variables, servers[0].Folder == "*" ? "localhost" : servers[0].Folder, servers[0].Port);
    }

    /// <summary>
    /// The command as it is to be started there: in English, with the place of the server if the command does not name it, and without the
    /// variables of libpq that it wants removed.
    /// </summary>
    public ToolCommand Apply(ToolCommand command)
    {
        var environment = new Dictionary<string, string?>(command.Environment, StringComparer.Ordinal);
        // The tools' words are read by this program, whatever the container's language.
        environment.TryAdd("LC_ALL", "C.UTF-8");
        environment.TryAdd("LANGUAGE", "");
        if (
            Host is not null
            && Port is { } port
            && environment.GetValueOrDefault("PGHOST") is null
            && environment.GetValueOrDefault("PGHOSTADDR") is null
            && environment.GetValueOrDefault("PGPORT") is null
        )
        {
            environment["PGHOST"] = Host;
            environment["PGPORT"] = port.ToString(CultureInfo.InvariantCulture);
        }

        string[] removed =
        [
            .. environment.Where(v => v.Value is null && Variables.Contains(v.Key)).Select(static v => v.Key).Order(StringComparer.Ordinal),
        ];
        ToolCommand there =
            removed.Length == 0
                ? command
                : new ToolCommand("env", [.. removed.SelectMany(static n => (string[])["-u", n]), command.FileName, .. command.Arguments])
                {
                    Label = command.Label,
                    MayStopReading = command.MayStopReading,
                    LeavesRest = command.LeavesRest,
                };
        return there with { Environment = environment };
    }
}
