namespace PgBackup.Soak.Kinds;

/// <summary>Sessions of the program are ended on the server: one, or all.</summary>
internal sealed class EndedSession : Interruption
{
    public override string Name => "ended session";

    public override int Share => 20;

    protected override IReadOnlyList<string> Verbs { get; } = ["run", "run", "run", "restore"];

    protected override async Task<bool> HappenAsync(Scene scene, RunningProgram program)
    {
        PostgresContainer server = scene.Site.Target is { } target && scene.Strike.Chance(0.3) ? target : scene.Site.Source;
        string limit = scene.Strike.Chance(0.5) ? "LIMIT 1" : "";
        string ended = await server.SqlAsync(
            "postgres",
            $"""
            SELECT pg_terminate_backend(pid), application_name FROM (
              SELECT * FROM pg_stat_activity WHERE application_name LIKE 'olympus-pgbackup%' OR application_name IN ('pg_dump', 'pg_restore')
              ORDER BY md5(pid::text || '{scene.Strike.Number}') {limit}) s
            """
        );
        scene.Strike.Step($"sessions ended: {ended.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length}");
        return false;
    }
}
