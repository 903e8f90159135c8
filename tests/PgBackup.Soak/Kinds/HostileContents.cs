namespace PgBackup.Soak.Kinds;

/// <summary>
/// A database of <see cref="RandomSchema"/> is backed up and restored into an empty server. What is called equal must be so by the tests'
/// own comparison; and what PostgreSQL takes, the program must take.
/// </summary>
internal sealed class HostileContents : FaultKind
{
    public override string Name => "hostile contents";

    public override int Share => 45;

    public override async Task StrikeAsync(Strike strike, Site site)
    {
        using Scene scene = await Scene.OpenAsync(strike, site, hasReplica: false);
        var schema = new RandomSchema(strike);
        scene.Configure("{}", "", databases: [schema.Database]);
        strike.Step($"database {System.Text.Json.JsonSerializer.Serialize(schema.Database)}; {schema.Afterwards.ReplaceLineEndings(" ")}");
        await File.WriteAllTextAsync(
            Path.Combine(scene.Workspace.Folder, "made.sql"),
            $"{schema.Globals}\n{schema.Script}\n{schema.Afterwards}"
        );
        PostgresContainer source = site.Source;
        try
        {
            await source.SqlAsync("postgres", schema.Globals);
            await source.SqlAsync(schema.Database, schema.Script);
            await source.SqlAsync("postgres", schema.Afterwards);
            await RoundTripAsync(scene, schema);
        }
        finally
        {
            await source.SqlAsync("postgres", schema.Removal);
        }
    }

    private static async Task RoundTripAsync(Scene scene, RandomSchema schema)
    {
        Strike strike = scene.Strike;
        if (await scene.RunAsync("run") is { ExitCode: not 0 } run)
        {
            strike.Find(Verdict.Lost, $"it cannot be backed up: exit code {run.ExitCode}: {Outcomes.Tail(run)}");
            return;
        }

        PostgresContainer target = await scene.Site.TargetAsync();
        Outcome restore = await scene.RunAsync(["restore", "latest", "--globals", "--target", target.Target, .. scene.Identity]);
        if (restore.ExitCode != 0)
        {
            strike.Find(
                Verdict.Lost,
                $"it is called complete and cannot be restored: exit code {restore.ExitCode}: " + $"{Outcomes.Tail(restore)}"
            );
            return;
        }

        PostgresContainer source = scene.Site.Source;
        string name = schema.Database;
        string? different =
            Judge.Different(await Fingerprint.OfContentsAsync(target, name), await Fingerprint.OfContentsAsync(source, name))
            ?? Judge.Different(await Fingerprint.OfDatabaseItselfAsync(target, name), await Fingerprint.OfDatabaseItselfAsync(source, name))
            ?? Judge.Different(await Fingerprint.OfRolesAsync(target), await Fingerprint.OfRolesAsync(source));
        if (different is not null)
        {
            strike.Find(Verdict.FalselyGood, $"it was restored and called equal, and is not: {different}");
        }
    }
}
