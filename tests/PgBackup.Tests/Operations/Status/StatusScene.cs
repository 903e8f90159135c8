using System.Text;
using PgBackup.Configuration;
using PgBackup.Neon;
using PgBackup.Operations;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Status;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Tests.Operations.Drill;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Operations.Status;

/// <summary>Two stores, the second elsewhere, on 22 March 2026 at four o'clock.</summary>
internal sealed class StatusScene : IDisposable
{
    private readonly Stores stores = new();

    public StatusScene()
    {
        Local = stores.Faulty("local");
        Offsite = stores.Faulty("offsite");
    }

    public FaultyStore Local { get; }

    public FaultyStore Offsite { get; }

    public Stores Stores => stores;

    public DateTimeOffset Now => stores.Clock.Now;

    /// <summary>Lines of the config beside the stores.</summary>
    public string More { get; set; } = "";

    public string Cluster { get; set; } = SnapshotSample.Cluster;

    /// <summary>Where the API of Neon is, if the config has a project there.</summary>
    public Uri? NeonBase { get; set; }

    public bool IsOffHost { get; set; } = true;

    public void Dispose() => stores.Dispose();

    /// <summary>A night of March at three o'clock, in both stores.</summary>
    public async Task<SnapshotSample> NightAsync(int day, bool proven = false, bool complete = true, int size = 700)
    {
        var night = SnapshotSample.Of(SnapshotSample.Day(day), complete, size);
        await night.PutAsync(stores.Open("local"), proven: proven);
        await night.PutAsync(stores.Open("offsite"), proven: proven);
        return night;
    }

    /// <summary>A drill of a night, five hours after it, reported to both stores.</summary>
    public async Task<DrillReport> DrillAsync(int day, double seconds = 12, params IReadOnlyList<Finding> findings)
    {
        DrillReport report = DrillSample.Passed with
        {
            Snapshot = SnapshotSample.Day(day).ToString(),
            Started = SnapshotSample.Day(day).Time.AddMinutes(30),
            RestoreSeconds = seconds,
            Findings = findings,
        };
        foreach (IObjectStore store in (IObjectStore[])[stores.Open("local"), stores.Open("offsite")])
        {
            await PutAsync(store, $"drills/{SnapshotId.At(report.Started)}.json", report.ToJson());
        }

        return report;
    }

    public async Task RecordAsync(RecordKind kind, RecordResult result, DateTimeOffset time, params IReadOnlyList<Finding> findings) =>
        await new RecordsFolder(stores.Open("local")).PutAsync(
            new Record
            {
                Format = Record.CurrentFormat,
                Kind = kind,
                Cluster = SnapshotSample.Cluster,
                Started = time,
                Finished = time.AddSeconds(3),
                Tool = "0.1.0",
                Result = result,
                Summary = $"a {kind.Word()}",
                Findings = findings,
            },
            Cancel
        );

    public static async Task PutAsync(IObjectStore store, string key, byte[] bytes)
    {
        using var content = new MemoryStream(bytes);
        await store.PutAsync(key, content, Cancel);
    }

    public static Task PutAsync(IObjectStore store, string key, string text) => PutAsync(store, key, Encoding.UTF8.GetBytes(text));

    public Task<StatusReport> ReadAsync() => Operation(new ManualClock(Now)).ReadAsync(Cancel);

    public StatusOperation Operation(TimeProvider clock)
    {
        BackupConfig config = ConfigReader.ParseStores(
            $"""
            cluster: {Cluster}
            stores: [{"{"} name: local, path: /a {"}"}, {"{"} name: offsite, path: /b {"}"}]
            {More}
            """,
            "config.yaml"
        );
        return new StatusOperation(
            config,
            [Stores.Kept(Local), Stores.Kept(Offsite) with { IsOffHost = IsOffHost, PricePerGb = 5_000 }],
            clock
        )
        {
            NeonApi = config.Neon is { } neon && NeonBase is { } address ? new NeonClient(neon, clock) { Base = address } : null,
        };
    }
}
