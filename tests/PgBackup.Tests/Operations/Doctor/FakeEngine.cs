using System.Globalization;

namespace PgBackup.Tests.Operations.Doctor;

/// <summary>
/// A script in the place of podman, with one container that has the client tools of Postgres and a server: a psql that answers the
/// questions of a doctor from files. A test writes other files where something is to be broken.
/// </summary>
internal sealed class FakeEngine
{
    private readonly TestFolder folder;

    public FakeEngine(TestFolder folder, DateTimeOffset now)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder["answers"]);
        Directory.CreateDirectory(folder["volumes"]);
        Answer(
            "facts",
            """{"version":"17.11 (Debian)","number":170011,"role":"reader","superuser":false,"reads_passwords":true,"bootstrap":"postgres"}"""
        );
        Answer("login", """{"timeouts":5,"superuser":false}""");
        ClockIs(now);
        Answer("settings", """{"settings":{},"own":[],"lockable":20}""");
        Answer(
            "relations",
            """
            {"kind":"sequence","schema":"public","enters":true,"reads":true,"hides":false,"objects":3,"names":["public.s"],"role":"reader"}
            {"kind":"table","schema":"public","enters":true,"reads":true,"hides":false,"objects":14,"names":["public.t"],"role":"reader"}
            """
        );
        Answer("large", """{"objects":2,"unreadable":0,"ids":null,"role":"reader"}""");
        Answer("free", """{"free":50}""");
        Answer("version", "pg_dump (PostgreSQL) 17.11 (Debian)");
        Answer("state", "running 4711");
        Answer("inspect", """[{"Config":{"Env":["PGDATA=/data/pg"]},"Mounts":[{"Destination":"/data","Source":"/volumes/pg"}]}]""");
        Script(
            "psql",
            $$"""
            #!/bin/sh
            cd {{folder["answers"]}}
            if [ -e "refused-$PGDATABASE" ]; then cat "refused-$PGDATABASE" >&2; exit 2; fi
            [ ! -e hangs ] || exec sleep 600
            while IFS= read -r line; do
              case "$line" in
              *'AS version'*) cat facts ;;
              *'rolsuper) IS NOT NULL'*) cat login ;;
              *'AS server_clock'*) cat server ;;
              *"'zero_damaged_pages'"*) cat settings ;;
              *'AS hides, count(*) AS objects'*) cat relations ;;
              *'AS unreadable'*) cat large ;;
              *' AS free'*) cat free ;;
              '\echo :LAST_ERROR_MESSAGE') echo ;;
              '\echo '*' :ERROR '*) set -- $line; echo "$2 false 00000" ;;
              '\echo '*) echo "${line#?echo }" ;;
              esac
            done
            """
        );
        Script(
            "podman",
            $$"""
            #!/bin/sh
            a={{folder["answers"]}}
            case "$1 $2" in
            'container inspect')
              case "$3" in --format)
                [ ! -e $a/state-code ] || { cat $a/state >&2; exit $(cat $a/state-code); }
                cat $a/state; exit 0 ;;
              esac
              cat $a/inspect ;;
            'image inspect') [ ! -e $a/no-image ] ;;
            'info --format') echo {{folder["volumes"]}} ;;
            'ps '*) ;;
            'exec '*)
              shift
              while [ "$1" != olympus-postgres ]; do shift; done
              shift
              case "$1" in
              env) while [ "$1" != pg_dump ] && [ "$1" != psql ] && [ $# -gt 0 ]; do shift; done ;;
              esac
              case "$1" in
              pg_dump) [ -e $a/version ] && cat $a/version || { echo 'exec: "pg_dump": executable file not found in $PATH' >&2; exit 127; } ;;
              psql) exec {{folder["psql"]}} ;;
              pg_isready) exit 2 ;;
              *) exit 127 ;;
              esac ;;
            *) exit 125 ;;
            esac
            """
        );
    }

    /// <summary>The program.</summary>
    public string Program => folder["podman"];

    /// <summary>What is answered to a question from now on, a row a line.</summary>
    public void Answer(string question, string rows) => folder.Write($"answers/{question}", rows.TrimEnd('\n') + "\n");

    /// <summary>Nothing is answered, or nothing is there.</summary>
    public void Without(string question) => File.Delete(folder[$"answers/{question}"]);

    /// <summary>The container cannot be used, in the engine's words.</summary>
    public void Broken(string state, int exitCode = 0)
    {
        Answer("state", state);
        if (exitCode != 0)
        {
            Answer("state-code", exitCode.ToString(CultureInfo.InvariantCulture));
        }

        Without("version");
    }

    /// <summary>A database lets nobody in, in the server's words.</summary>
    public void Refuses(string database, string words) => Answer($"refused-{database}", $"psql: error: {words}");

    /// <summary>The server's clock, and its databases.</summary>
    public void ClockIs(DateTimeOffset now, string databases = "\"shop\",\"iam\"", bool standby = false) =>
        Answer(
            "server",
            string.Create(
                CultureInfo.InvariantCulture,
                $$"""{"server_clock":{{now.ToUnixTimeMilliseconds() / 1000.0}},"standby":{{(standby ? "true" : "false")}},"data_folder":null,"databases":[{{databases}}]}"""
            )
        );

    private void Script(string name, string script)
    {
        string file = folder.Write(name, script + "\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
