namespace PgBackup.IntegrationTests.Drill;

/// <summary>Drills of databases that are large enough for several jobs.</summary>
[Collection("bad restores")]
public sealed class DrillJobsTests(BadDaysCluster cluster) : IAsyncLifetime
{
    private static readonly int Jobs = Math.Clamp(Environment.ProcessorCount, 1, 8);

    private Workspace own = null!;

    public async ValueTask InitializeAsync()
    {
        await cluster.Server.SqlAsync("postgres", "CREATE DATABASE bulky");
        await cluster.Server.SqlAsync(
            "bulky",
            """
            CREATE TABLE noise AS SELECT g, (SELECT string_agg(decode(md5(random()::text || g || i), 'hex'), '') FROM generate_series(1, 64) i) AS v FROM generate_series(1, 18000) g;
            ALTER TABLE noise ADD PRIMARY KEY (g);
            """
        );
        own = cluster.Gpg("bulky", "small");
        own.Configure($"{own.Config()}\ndrill:\n  image: {Surroundings.Image}\n");
        await own.BackupAsync();
    }

    public async ValueTask DisposeAsync()
    {
        own.Dispose();
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE bulky");
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task A_large_database_is_restored_by_several_jobs_and_a_small_one_by_one()
    {
        Outcome outcome = await own.RunAsync(0, "drill", "--identity", cluster.Keys.OpsSecret);

        string large = Line(outcome, "bulky: ");
        (large.Contains($" by {Jobs} jobs, equal", StringComparison.Ordinal) || Jobs == 1).ShouldBeTrue(large);
        Line(outcome, "small: ").ShouldNotContain("jobs");
    }

    [Fact]
    public async Task Where_no_file_can_be_put_aside_safely_one_job_does_it_all()
    {
        // What is in a container cannot be seen, as by a user without root's rights.
        own.BlindPodman();

        Outcome outcome = await own.RunAsync(0, "drill", "--identity", cluster.Keys.OpsSecret);

        Line(outcome, "bulky: ").ShouldNotContain("jobs");
    }

    [Fact]
    public async Task Where_the_memory_for_a_file_is_taken_by_something_else_meanwhile_one_job_does_it_all_and_the_report_says_so()
    {
        own.FillPodmansMemory();

        Outcome outcome = await own.RunAsync(0, "drill", "--identity", cluster.Keys.OpsSecret);

        Line(outcome, "bulky: ").ShouldNotContain("jobs");
        if (Jobs > 1)
        {
            string report = await File.ReadAllTextAsync(
                Directory.GetFiles(Path.Combine(own.Store, "drills"), "*.md").Single(),
                TestContext.Current.CancellationToken
            );
            report.ShouldContain($"It was restored by one job instead of {Jobs}");
        }
    }

    private static string Line(Outcome outcome, string start) =>
        outcome.Errors.Split('\n').Single(l => l.Contains("Z " + start, StringComparison.Ordinal));
}
