using System.Globalization;
using System.Text;
using PgBackup.Host;
using PgBackup.Operations.Status;

namespace PgBackup.App.Render;

/// <summary>A status in the text format of Prometheus. <c>docs/status.md</c> lists the metrics.</summary>
internal static class MetricsText
{
    private const string Start = "# HELP pgbackup_";

    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>Writes it into a file, whole or not at all: a collector never reads half of it.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>: the file cannot be written.</exception>
    public static void Write(StatusReport report, string file)
    {
        RequireOurs(file);
        // The collector reads what ends in .prom, so this does not. A link that somebody put there is not followed.
        string half = $"{file}.{Path.GetRandomFileName()}.tmp";
        try
        {
            using (
                var stream = new FileStream(
                    half,
                    new FileStreamOptions
                    {
                        Mode = FileMode.CreateNew,
                        Access = FileAccess.Write,
                        UnixCreateMode = Readable,
                    }
                )
            )
            {
                stream.Write(Encoding.UTF8.GetBytes(Of(report)));
                stream.Flush(flushToDisk: true);
            }

            File.Move(half, file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            Remove(half);
            throw new PgBackupException(
                ErrorCode.Usage,
                $"the metrics could not be written into {file}: {e.Message}",
                "Name a file in a folder that exists and may be written to.",
                e
            );
        }
    }

    // A slip of the finger must not cost a config, a device or a link.
    private static void RequireOurs(string file)
    {
        if (Obstacle(file) is { } why)
        {
            throw new PgBackupException(
                ErrorCode.Usage,
                $"the metrics are not written into \"{file}\": {why}.",
                "Name a file of its own, for instance /var/lib/prometheus/node-exporter/olympus.prom."
            );
        }
    }

    private static string? Obstacle(string file)
    {
        if (file.Length == 0)
        {
            return "no file is named";
        }

        try
        {
            return NamedFile.IsRegular(file) switch
            {
                null => null,
                false => "it is no regular file",
                true => new FileInfo(file).Length == 0 || BeginsAsMetrics(file)
                    ? null
                    : "there is something else in it than metrics of this program",
            };
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            return e.Message.TrimEnd('.');
        }
    }

    private static bool BeginsAsMetrics(string file)
    {
        try
        {
            using var text = new StreamReader(file);
            char[] start = new char[Start.Length];
            return new string(start, 0, text.ReadBlock(start, 0, start.Length)) == Start;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    // What keeps it from being removed is what kept it from being written, and is told.
    private static void Remove(string half)
    {
        try
        {
            File.Delete(half);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException) { }
    }

    /// <summary>The text.</summary>
    public static string Of(StatusReport report)
    {
        var metrics = new Metrics(Label("cluster", report.Cluster));
        Cluster(report, metrics);
        Stores(report.Stores, metrics);
        return metrics.Text;
    }

    private static void Cluster(StatusReport report, Metrics metrics)
    {
        StatusFigures figures = report.Figures;
        metrics.One("level", "How the backups stand: 0 green, 1 yellow, 2 red, 3 unknown.", NagiosText.ExitCode(report.Level));
        metrics.One("status_timestamp_seconds", "When this was found out.", report.Time.ToUnixTimeSeconds());
        metrics.One("max_age_seconds", "How old the newest complete snapshot may be.", figures.MaxAgeSeconds);
        metrics.One("rto_seconds", "How long a restore may take.", figures.RtoSeconds);
        metrics.One("newest_complete_age_seconds", "Age of the newest complete snapshot.", figures.NewestComplete?.AgeSeconds);
        metrics.One("newest_proven_age_seconds", "Age of the newest snapshot that a drill has proven.", figures.NewestProven?.AgeSeconds);
        metrics.One("restore_seconds", "How long a restore would take, by the last drill that passed.", figures.RestoreSeconds);
        metrics.One("last_drill_timestamp_seconds", "When the last drill began.", figures.LastDrill?.Time.ToUnixTimeSeconds());
        metrics.One(
            "last_drill_passed",
            "The last drill passed.",
            figures.LastDrill is not { } drill ? null
                : drill.Passed ? 1
                : 0
        );
        metrics.One("run_seconds", "How long the newest complete snapshot took.", figures.RunSeconds);
        metrics.One("skew_seconds", "How far apart the moments of its databases are at most.", figures.SkewMs / 1000);
        metrics.Each(
            "rows",
            "Rows of each database in the newest complete snapshot.",
            figures.Rows.Select(static r => (Label("database", r.Key), (double?)r.Value))
        );
        metrics.Each(
            "key_last_test_timestamp_seconds",
            "When a private key last decrypted something; 0 for never.",
            figures.Keys.Select(static k =>
                ($"{Label("key", k.Name)},{Label("fingerprint", k.Fingerprint)}", (double?)(k.LastTested?.ToUnixTimeSeconds() ?? 0))
            )
        );
        metrics.Each(
            "findings",
            "Findings by code and severity.",
            report
                .Findings.GroupBy(static f => (f.Code, f.Severity))
                .Select(static g =>
                    (
                        $"{Label("code", PgBackupException.CodeTextOf(g.Key.Code))},{Label("severity", g.Key.Severity.Word())}",
                        (double?)g.Count()
                    )
                )
        );
    }

    private static void Stores(IReadOnlyList<StoreStatus> stores, Metrics metrics)
    {
        Each("store_readable", "The store could be read.", static s => s.IsReadable ? 1 : 0);
        Each("store_snapshots", "Snapshots in the store.", static s => s.IsReadable ? s.Snapshots : null);
        Each("store_bytes", "Bytes of all snapshots in the store.", static s => s.IsReadable ? s.Bytes : null);
        Each("store_bytes_to_prune", "Bytes that the next prune removes.", static s => s.IsReadable ? s.BytesToPrune : null);
        Each("store_lacks", "Snapshots that the store lacks.", static s => s.IsReadable ? s.Lacks : null);
        Each("store_newest_complete_age_seconds", "Age of the newest complete snapshot of the store.", static s => s.AgeSeconds);
        Each("store_cost_per_month", "What the store costs a month by its price_per_gb.", static s => (double?)s.CostPerMonth);

        void Each(string name, string help, Func<StoreStatus, double?> figure) =>
            metrics.Each(name, help, stores.Select(s => (Label("store", s.Name), figure(s))));
    }

    // Backslashes, quotes and line ends are escaped in a label; what a terminal obeys is no name.
    private static string Label(string name, string value)
    {
        string escaped = Terminal
            .InOneLine(value)
            .Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\"", "\\\"", StringComparison.Ordinal);
        return $"{name}=\"{escaped}\"";
    }

    private sealed class Metrics(string cluster)
    {
        private readonly StringBuilder text = new();

        public string Text => text.ToString();

        public void One(string name, string help, double? value) => Each(name, help, [("", value)]);

        /// <summary>A metric with a value for each set of labels; what is not known has no line.</summary>
        public void Each(string name, string help, IEnumerable<(string Labels, double? Value)> values)
        {
            (string Labels, double? Value)[] known = [.. values.Where(static v => v.Value is not null)];
            if (known.Length == 0)
            {
                return;
            }

            text.Append(CultureInfo.InvariantCulture, $"# HELP pgbackup_{name} {help}\n# TYPE pgbackup_{name} gauge\n");
            foreach ((string labels, double? value) in known)
            {
                string all = labels.Length == 0 ? cluster : $"{cluster},{labels}";
                text.Append(CultureInfo.InvariantCulture, $"pgbackup_{name}{{{all}}} {value:R}\n");
            }
        }
    }
}
