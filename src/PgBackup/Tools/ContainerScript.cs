using System.Globalization;

namespace PgBackup.Tools;

/// <summary>The script of <see cref="ContainerShell"/>, and how a container is made to run it.</summary>
internal static class ContainerScript
{
    // The first process of the container is Postgres itself. It takes every orphan that it inherits for one of its own backends, and
    // when one ends by a signal, or with another status than 0 or 1, it ends all connections and goes into crash recovery. So nothing
    // here may outlive its parent: the script waits for all it started, a reader that is gone is an error and no SIGPIPE, and a tool is
    // ended by TERM, upon which pg_restore ends its workers first; KILL is for one that does not go.
    // Each process is known by its id and the time of its start (field 22 of its stat), so that no signal goes to another one with that id.
    // Protocol: "start ID N M" is followed by N lines NAME=VALUE and M lines of arguments, those with a backslash escaped for printf %b;
    // "kill ID SIGNAL"; "ask".
    // Replies: "ready", "joined"; "pipes ID", "started ID", "exit ID CODE". What printf wrote is ended by a dot, since $( ) strips trailing
    // newlines.
    // A part of the script that waits for a tool may be killed, by the kernel for lack of memory for instance: then nobody would report the
    // tool's end.
    // "ask" looks at each such part; if one is gone, "exit ID 137" is reported, which means nothing after another code.
    // Processes are what costs, a tool's own beside them little: one makes the pipes of the next tools at once, and no plain value needs
    // one.
    // ID.pid is empty until the tool's process is known; ID.end, without a byte, says that it has ended. A full /dev/shm takes files
    // without a byte, but no number; that is what the reserve is given up for, so that what fills it can be removed.
    // A script that died itself (with its container, or killed) leaves folders: the next one removes those of its own host's name. Folders
    // in
    // /dev/shm may belong to another container that shares it, with its host's name too if both are in a pod. There the namespace of
    // processes must be the same, or, of an earlier life of this container (its memory outlives a restart), the file system at its root.
    // One that was killed before it wrote its owner leaves a folder without; it is removed at the end of the next script that found it at
    // its start.
    // Everybody may make names in both places: only a plain file of this user, in a folder of this user, is read and believed.
    private const string Text = """
        umask 077; d=$1; scratch=$2; patience=$3
        start() { s=; { read -r s <"/proc/$1/stat"; } 2>/dev/null; s=${s##*) }; set -- $s; start=${20-}; }
        alive() { [ -n "$2" ] && start "$1" && [ "$start" = "$2" ]; }
        host=; { read -r host </proc/sys/kernel/hostname; } 2>/dev/null
        space=$(readlink /proc/self/ns/pid 2>/dev/null); space=${space:-none}
        mark=
        { while read -r a b c root point rest; do
            [ "$point" = / ] || continue
            case $rest in *upperdir=*) mark=${rest#*upperdir=}; mark=${mark%%,*} ;; *) mark="$root ${rest##* - }" ;; esac
          done </proc/self/mountinfo; } 2>/dev/null
        orphans=
        for f in /dev/shm/olympus-pgbackup-exec-* /tmp/olympus-pgbackup-exec-*; do
          case ${f##*-} in ''|*[!0-9a-f]*) continue ;; esac
          [ -d "$f" ] && [ ! -L "$f" ] && [ -O "$f" ] && [ ! -s "$f/owner" ] && orphans="$orphans $f"
        done
        for f in /dev/shm/olympus-pgbackup-*/owner /tmp/olympus-pgbackup-*/owner; do
          own=${f%/owner}
          [ -O "$own" ] && [ ! -L "$own" ] && [ -f "$f" ] && [ ! -L "$f" ] && [ -O "$f" ] || continue
          { read -r h n p s m <"$f"; } 2>/dev/null || continue
          [ "$h" = "$host" ] || continue
          if [ "$n" = "$space" ]; then alive "$p" "$s" && continue
          else case $f in /dev/shm/*) [ -n "$m" ] && [ "$m" = "$mark" ] || continue ;; esac; fi
          rm -rf "$own"
        done
        made=0
        pipes() {
          set -- "$1"; n=$made
          while [ $n -lt $(($1 + 15)) ]; do n=$((n + 1)); set -- "$@" $n.in $n.out $n.err; done
          shift; mkfifo "$@" && made=$n || { rm -f "$@"; return 1; }
        }
        reserve() { printf '%65536s' '' >reserve; } 2>/dev/null
        note() { { echo "$2" >"$1"; } 2>/dev/null || { : >reserve; echo "$2" >"$1"; }; }
        mkdir "$d" && cd "$d" && mkfifo command && pipes 1 && start $$ &&
          echo "$host $space $$ $start $mark" >owner || { rm -rf "$d"; exit 1; }
        reserve
        exec 3>&1
        trap '' HUP INT TERM PIPE
        end() {
          n=0 with=TERM
          while [ $n -lt 100 ]; do
            [ $n -lt 30 ] || with=KILL
            left=
            for f in *.pid; do
              [ -e "$f" ] && [ ! -e "${f%.pid}.end" ] || continue
              p=; t=; { read -r p t <"$f"; } 2>/dev/null
              left=1; alive "$p" "$t" && kill -$with "$p" 2>/dev/null
            done
            [ -n "$left" ] || break
            sleep 0.1; n=$((n + 1))
          done
          wait
          cd / && rm -rf "$d" "$scratch"
          for f in $orphans; do [ -s "$f/owner" ] || rm -rf "$f"; done
        }
        trap end EXIT
        ( trap - EXIT
          n=0; while [ $n -lt "$patience" ] && [ ! -e joined ] && kill -0 $$ 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
          [ -e joined ] || : <>command
        ) 3>&- >/dev/null 2>&1 </dev/null &
        echo "ready" >&3
        exec <command
        : >joined
        echo "joined" >&3
        workers=
        while IFS= read -r line; do
          set -- $line
          verb=$1 id=$2 envs=$3 args=$4
          case $verb in
          start)
            if [ "$id" -le $made ] || pipes "$id"; then echo "pipes $id" >&3; else echo "exit $id 125" >&3; fi
            set --
            n=0; while [ $n -lt $((envs + args)) ]; do
              IFS= read -r v
              case $v in *\\*) v=$(printf '%b.' "$v"); v=${v%.} ;; esac
              set -- "$@" "$v"; n=$((n + 1))
            done
            [ -s reserve ] || reserve
            : >"$id.pid"
            (
              trap - EXIT
              ( exec <"$id.in" >"$id.out" 2>"$id.err"
                n=0; while [ $n -lt $envs ]; do export "$1"; shift; n=$((n + 1)); done
                until [ -s "$id.pid" ]; do :; done
                echo "started $id" >&3; exec 3>&-; trap - HUP INT TERM; exec "$@" ) &
              p=$!; start $p; note "$id.pid" "$p $start" || kill -KILL $p
              wait $p; c=$?; : >"$id.end"; : >"$id.pid"; echo "exit $id $c" >&3; exit 0
            ) 2>/dev/null </dev/null &
            workers="$workers $id:$!" ;;
          ask)
            left=
            for w in $workers; do
              id=${w%%:*} s=
              { read -r s <"/proc/${w#*:}/stat"; } 2>/dev/null
              case ${s##*) } in
              ''|[ZX]*)
                p= t=; { read -r p t <"$id.pid"; } 2>/dev/null; alive "$p" "$t" || : >"$id.end"
                echo "exit $id 137" >&3 ;;
              *) left="$left $w" ;;
              esac
            done
            workers=$left ;;
          kill) p= t=; { read -r p t <"$id.pid"; } 2>/dev/null; alive "$p" "$t" && kill -"$envs" "$p" 2>/dev/null ;;
          esac
        done
        exit 0
        """;

    /// <summary>
    /// The arguments that make a container's <c>sh</c> run the script with its pipes in a folder. It waits so many seconds for this host to
    /// open the first of them, which may have been killed, or cannot see into the container.
    /// </summary>
    public static string[] Arguments(string folder, int patience) =>
        ["-c", Text, "olympus-pgbackup", folder, ScratchOf(folder), (patience * 10).ToString(CultureInfo.InvariantCulture)];

    /// <summary>The arguments of an exec that ends a script whose pipe this host cannot open.</summary>
    public static string[] EndArguments(string folder) => ["-c", ": <>\"$1/command\"", "olympus-pgbackup", folder];

    /// <summary>The folder for files, which the script removes at its end together with that of the pipes.</summary>
    public static string ScratchOf(string folder) => $"/tmp/{Path.GetFileName(folder)}";
}
