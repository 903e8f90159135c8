namespace PgBackup.Soak.Kinds;

/// <summary>
/// The program is started as cron, systemd, a bad script or a full machine would start it. In most of these it must succeed; in the others
/// it may fail, in words.
/// </summary>
internal sealed class OddSurroundings : FaultKind
{
    private const string Private = "exec unshare --mount --propagation private bash -c '";

    // podman keeps its locks in /dev/shm, and does nothing without them: they stay where they are.
    private const string Memory =
        Private
        + "exec 9</dev/shm/libpod_lock && mount -t tmpfs -o size=1m none /dev/shm && : >/dev/shm/libpod_lock "
        + "&& mount --no-canonicalize --bind /proc/self/fd/9 /dev/shm/libpod_lock && exec 9<&- && ";

    /// <summary>What a shell does before it becomes the program: MUST where it must succeed, else it may fail.</summary>
    private static readonly (bool Must, string Name, string Script)[] All =
    [
        (true, "stdout closed", "exec >&-"),
        (true, "stderr closed", "exec 2>&-"),
        (true, "stdin closed", "exec <&-"),
        (true, "all three closed", "exec <&- >&- 2>&-"),
        (true, "stdout full", "exec >/dev/full"),
        (true, "stderr full", "exec 2>/dev/full"),
        (true, "both full", "exec >/dev/full 2>/dev/full"),
        (true, "stdout a pipe that nobody reads", "exec > >(exec true); sleep 0.1"),
        (true, "stdin without an end", "exec </dev/zero"),
        (true, "SIGCHLD ignored", "exec env --ignore-signal=CHLD \"$@\""),
        (true, "SIGCHLD blocked", "exec env --block-signal=CHLD \"$@\""),
        (true, "all signals blocked", "exec env --block-signal \"$@\""),
        (true, "SIGPIPE ignored", "exec env --ignore-signal=PIPE \"$@\""),
        (true, "SIGHUP, SIGINT and SIGTERM ignored", "exec env --ignore-signal=HUP --ignore-signal=INT --ignore-signal=TERM \"$@\""),
        (true, "a zone of half an hour", "export TZ=Australia/Lord_Howe"),
        (true, "a zone that is none", "export TZ=Nowhere/Land"),
        (true, "LC_ALL=tr_TR.UTF-8", "export LC_ALL=tr_TR.UTF-8 LANG=tr_TR.UTF-8"),
        (true, "LC_ALL=C", "export LC_ALL=C LANG=C LANGUAGE=de"),
        (true, "a locale that is none", "export LC_ALL=xx_YY.KOI8 LANG=zz"),
        (
            true,
            "libpq's variables",
            "export PGHOST=nowhere.invalid PGPORT=1 PGUSER=nobody PGDATABASE=none PGPASSWORD=wrong "
                + "PGSSLMODE=verify-full PGAPPNAME=other"
        ),
        (true, "PGOPTIONS", "export PGOPTIONS='-c statement_timeout=1 -c default_transaction_read_only=on'"),
        (true, "PGCLIENTENCODING, PGTZ, PGDATESTYLE", "export PGCLIENTENCODING=LATIN1 PGTZ=Asia/Tokyo PGDATESTYLE=German"),
        (true, "PGSERVICE", "export PGSERVICE=none PGSERVICEFILE=/nonexistent PGPASSFILE=/nonexistent PGSYSCONFDIR=/nonexistent"),
        (true, "psql's variables", "export PSQLRC=/etc/passwd PSQL_PAGER=false PAGER=false PSQL_HISTORY=/nonexistent/x"),
        (true, "rclone's variables", "export RCLONE_DRY_RUN=true RCLONE_MAX_TRANSFER=1 RCLONE_CONFIG=/nonexistent"),
        (true, "GNUPGHOME", "export GNUPGHOME=/nonexistent GPG_AGENT_INFO=/nonexistent:1:1 GPG_TTY=/dev/null"),
        (true, ".NET's variables", "export DOTNET_gcServer=1 DOTNET_TieredCompilation=0 COMPlus_gcConcurrent=0 DOTNET_ROOT=/nonexistent"),
        (true, "no environment", "exec env -i PATH=\"$PATH\" CONTAINERS_CONF=\"$CONTAINERS_CONF\" OLYMPUS_SOAK=\"$OLYMPUS_SOAK\" \"$@\""),
        (true, "HOME not set", "unset HOME XDG_RUNTIME_DIR XDG_CONFIG_HOME USER LOGNAME"),
        (true, "HOME missing", "export HOME=/nonexistent"),
        (true, "umask 0", "umask 0"),
        (true, "umask 077", "umask 077"),
        (true, "a folder that is gone", "d=$(mktemp -d); cd \"$d\"; rmdir \"$d\""),
        (true, "no core, little stack", "ulimit -c 0; ulimit -s 1024"),
        (true, "niced", "exec nice -n 19 \"$@\""),
        (true, "/dev/shm read-only", Memory + "mount -o remount,ro /dev/shm && exec \"$@\"' soak \"$@\""),
        (true, "/dev/shm full", Memory + "! cat /dev/zero >/dev/shm/full 2>/dev/null && exec \"$@\"' soak \"$@\""),
        (true, "/dev/shm of files without execution", Memory + "mount -o remount,noexec,nodev,nosuid /dev/shm && exec \"$@\"' soak \"$@\""),
        (
            false,
            "/tmp read-only but for the workspace",
            Private
                + "mount --bind \"$SOAK_FOLDER\" \"$SOAK_FOLDER\" && mount --bind /tmp "
                + "/tmp && mount -o remount,ro,bind /tmp && mount --bind \"$SOAK_FOLDER\" \"$SOAK_FOLDER\"; exec \"$@\"' soak \"$@\""
        ),
        (
            false,
            "/tmp and /dev/shm full",
            Private
                + "mount -t tmpfs -o size=4k none /dev/shm; head -c 4096 /dev/zero >/dev/shm/full; "
                + "export TMPDIR=/dev/shm; exec \"$@\"' soak \"$@\""
        ),
        (false, "TMPDIR missing", "export TMPDIR=/nonexistent"),
        (false, "umask 777", "umask 777"),
        (false, "few descriptors", "ulimit -n 48"),
        (false, "no large files", "ulimit -f 8"),
        (false, "no files", "ulimit -f 0"),
        (false, "an empty PATH", "export PATH=/nonexistent"),
        (false, "little memory", "ulimit -v 600000"),
    ];

    public override string Name => "odd surroundings";

    public override int Share => 70;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        using Scene scene = await Scene.OpenAsync(strike, site);
        (bool must, string name, string script) = strike.Pick(All);
        string verb = strike.Pick("run", "run", "run", "run", "check", "restore", "list");
        strike.Step($"{verb} with {name}");
        string[] arguments = verb switch
        {
            "check" => ["check", "--all", "--read-data", .. scene.Identity],
            "restore" => ["restore", scene.Origin.Now[^1], "--globals", "--target", (await site.TargetAsync()).Target, .. scene.Identity],
            _ => [verb],
        };
        int before = scene.Snapshots().Count();
        await using (RunningProgram program = scene.StartBy($"{script}; exec \"$@\"", arguments))
        {
            Outcome outcome = await scene.EndAsync(program, verb, mayBeKilled: !must);
            if (verb == "list" && name is "stdout full" or "both full")
            {
                // All that this verb does is to tell something.
                if (outcome.ExitCode != 1 || (name == "stdout full" && !outcome.Errors.Contains("PGB-0052", StringComparison.Ordinal)))
                {
                    strike.Find(Verdict.FalselyGood, $"{verb} with {name}: exit code {outcome.ExitCode}: {Outcomes.Tail(outcome)}");
                }
            }
            else if (must && outcome.ExitCode != 0)
            {
                strike.Find(Verdict.Lost, $"{verb} with {name}: exit code {outcome.ExitCode}: {Outcomes.Tail(outcome)}");
            }

            if (verb == "restore" && outcome.ExitCode == 0)
            {
                await Judge.ShouldEqualAsync(scene, site.Target!, $"with {name}: the snapshot");
            }

            if (verb == "run" && outcome.ExitCode == 0 && scene.Snapshots().Count() != before + 1)
            {
                strike.Find(Verdict.FalselyGood, $"run with {name}: exit code 0, and no new snapshot");
            }
        }

        await Judge.AfterAsync(scene);
    }
}
