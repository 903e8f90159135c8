using PgBackup.Operations.Status;
using PgBackup.Serve.Scheduling;
using Prometheus;

namespace PgBackup.Serve.Http;

/// <summary>A status in the text format of Prometheus. <c>docs/status.md</c> lists the metrics.</summary>
public sealed class StatusMetrics
{
    /// <summary>What each text begins with.</summary>
    public const string Start = "# HELP " + Prefix;

    private const string Prefix = "pgbackup_";

    private readonly CollectorRegistry registry = Metrics.NewCustomRegistry();
    private readonly MetricFactory factory;

    private StatusMetrics(string cluster)
    {
        registry.SetStaticLabels(new Dictionary<string, string>(StringComparer.Ordinal) { ["cluster"] = Foreign.Line(cluster) });
        factory = Metrics.WithCustomRegistry(registry);
    }

    /// <summary>The text of a status.</summary>
    public static Task<byte[]> TextAsync(StatusReport report) => TextAsync(report.Cluster, report, null);

    /// <summary>The text of a status and of a service.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="report">How the backups stand; null where that is not known.</param>
    /// <param name="service">How the service stands; null for none.</param>
    internal static async Task<byte[]> TextAsync(string cluster, StatusReport? report, ServiceFigures? service)
    {
        var metrics = new StatusMetrics(cluster);
        if (report is not null)
        {
            metrics.Cluster(report);
            metrics.Stores(report.Stores);
        }

        if (service is not null)
        {
            metrics.Service(service);
        }

        using var text = new MemoryStream();
        await metrics.registry.CollectAndExportAsTextAsync(text);
        return text.ToArray();
    }

    private void Cluster(StatusReport report)
    {
        StatusFigures figures = report.Figures;
        One("level", "How the backups stand: 0 green, 1 yellow, 2 red, 3 unknown.", LevelOf(report.Level));
        One("status_timestamp_seconds", "When this was found out.", report.Time.ToUnixTimeSeconds());
        One("max_age_seconds", "How old the newest complete snapshot may be.", figures.MaxAgeSeconds);
        One("rto_seconds", "How long a restore may take.", figures.RtoSeconds);
        One("newest_complete_age_seconds", "Age of the newest complete snapshot.", figures.NewestComplete?.AgeSeconds);
        One("newest_proven_age_seconds", "Age of the newest snapshot that a drill has proven.", figures.NewestProven?.AgeSeconds);
        One("newest_complete_bytes", "Stored bytes of the newest complete snapshot.", figures.NewestComplete?.Bytes);
        One("restore_seconds", "How long a restore would take, by the last drill that passed.", figures.RestoreSeconds);
        One("last_drill_timestamp_seconds", "When the last drill began.", figures.LastDrill?.Time.ToUnixTimeSeconds());
        One(
            "last_drill_passed",
            "The last drill passed.",
            figures.LastDrill is not { } drill ? null
                : drill.Passed ? 1
                : 0
        );
        One("run_seconds", "How long the newest complete snapshot took.", figures.RunSeconds);
        One("skew_seconds", "How far apart the moments of its databases are at most.", figures.SkewMs / 1000);
        One("neon_window_seconds", "How far back Neon itself can restore.", figures.Neon?.WindowSeconds);
        One("neon_window_expected_seconds", "How far back the config wants it to.", figures.Neon?.ExpectedSeconds);
        Each(
            "rows",
            "Rows of each database in the newest complete snapshot.",
            ["database"],
            figures.Rows.Select(static r => ((string[])[r.Key], (double?)r.Value))
        );
        Each(
            "database_bytes",
            "Stored bytes of each database in the newest complete snapshot.",
            ["database"],
            figures.Bytes.Select(static r => ((string[])[r.Key], (double?)r.Value))
        );
        Each(
            "key_last_test_timestamp_seconds",
            "When a private key last decrypted something; 0 for never.",
            ["key", "fingerprint"],
            figures.Keys.Select(static k => ((string[])[k.Name, k.Fingerprint], (double?)(k.LastTested?.ToUnixTimeSeconds() ?? 0)))
        );
        Each(
            "findings",
            "Findings by code and severity.",
            ["code", "severity"],
            report
                .Findings.GroupBy(static f => (f.Code, f.Severity))
                .Select(static g => ((string[])[PgBackupException.CodeTextOf(g.Key.Code), g.Key.Severity.Word()], (double?)g.Count()))
        );
    }

    private void Stores(IReadOnlyList<StoreStatus> stores)
    {
        Of("store_readable", "The store could be read.", static s => s.IsReadable ? 1 : 0);
        Of("store_snapshots", "Snapshots in the store.", static s => s.IsReadable ? s.Snapshots : null);
        Of("store_bytes", "Bytes of all snapshots in the store.", static s => s.IsReadable ? s.Bytes : null);
        Of("store_bytes_to_prune", "Bytes that the next prune removes.", static s => s.IsReadable ? s.BytesToPrune : null);
        Of("store_lacks", "Snapshots that the store lacks.", static s => s.IsReadable ? s.Lacks : null);
        Of("store_newest_complete_age_seconds", "Age of the newest complete snapshot of the store.", static s => s.AgeSeconds);
        Of("store_cost_per_month", "What the store costs a month by its price_per_gb.", static s => (double?)s.CostPerMonth);

        void Of(string name, string help, Func<StoreStatus, double?> figure) =>
            Each(name, help, ["store"], stores.Select(s => ((string[])[s.Name], figure(s))));
    }

    private void Service(ServiceFigures service)
    {
        One("serve_start_timestamp_seconds", "When the service started.", service.Started.ToUnixTimeSeconds());
        One("serve_config_reload_failed", "The config in use is not the one in the file, which is wrong.", service.ReloadFailed ? 1 : 0);
        Of("next_timestamp_seconds", "When the job starts next.", static j => j.Next?.ToUnixTimeSeconds());
        Of("last_start_timestamp_seconds", "When the service started the job last.", static j => j.LastStart?.ToUnixTimeSeconds());
        Of("last_exit_code", "The exit code of the job's last end.", static j => j.LastExitCode);
        Of("lag_seconds", "How long after it was due the job started last.", static j => j.Lag?.TotalSeconds);
        Count("started", "How often the service started the job.", static j => j.Started);
        Count("failed", "How often the job ended with another exit code than 0.", static j => j.Failed);
        Count("skipped", "How often the job was left out, because the one before was at work.", static j => j.Skipped);

        void Of(string name, string help, Func<JobState, double?> figure) =>
            Each($"serve_job_{name}", help, ["verb"], service.Jobs.Select(j => ((string[])[ServiceFigures.NameOf(j)], figure(j))));

        void Count(string name, string help, Func<JobState, long> figure)
        {
            Counter counter = factory.CreateCounter($"{Prefix}serve_jobs_{name}_total", help, ["verb"]);
            foreach (JobState job in service.Jobs)
            {
                counter.WithLabels(ServiceFigures.NameOf(job)).IncTo(figure(job));
            }
        }
    }

    private static double LevelOf(StatusLevel level) =>
        level switch
        {
            StatusLevel.Green => 0,
            StatusLevel.Yellow => 1,
            StatusLevel.Red => 2,
            _ => 3,
        };

    private void One(string name, string help, double? value)
    {
        if (value is { } known)
        {
            factory.CreateGauge(Prefix + name, help).Set(known);
        }
    }

    // What is not known has no line. What a terminal obeys is no name.
    private void Each(string name, string help, string[] labels, IEnumerable<(string[] Labels, double? Value)> values)
    {
        (string[] Labels, double? Value)[] known = [.. values.Where(static v => v.Value is not null)];
        if (known.Length == 0)
        {
            return;
        }

        Gauge gauge = factory.CreateGauge(Prefix + name, help, labels);
        foreach ((string[] of, double? value) in known)
        {
            gauge.WithLabels([.. of.Select(Foreign.Line)]).Set(value!.Value);
        }
    }
}
