using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Neon;
using PgBackup.Snapshots;

namespace PgBackup.Operations.Doctor;

/// <summary>
/// Looks at everything that the next run, drill and restore need, and says what is missing and how to mend it. Nothing is changed: an
/// object is written into each store, and removed again.
/// </summary>
/// <remarks>
/// The areas are examined at the same time, each for a limited time: a server or a store that hangs is a finding, and takes nothing from
/// the others. No lock is taken: a run that begins meanwhile is not in the way, nor is the doctor in its way.
/// </remarks>
public sealed class DoctorOperation
{
    // A healthy installation takes a few seconds. Nothing is waited for longer than this.
    private static readonly TimeSpan AreaTime = TimeSpan.FromSeconds(25);

    // What another area finds out is waited for, and done without.
    private static readonly TimeSpan OtherAreaTime = TimeSpan.FromSeconds(12);

    private readonly BackupConfig config;
    private readonly IReadOnlyList<BackupStore> stores;
    private readonly Func<ICipher> cipher;
    private readonly Identity? identity;
    private readonly Func<Manifest, ICipher> cipherFor;
    private readonly TimeProvider clock;

    /// <summary>A doctor for an installation.</summary>
    /// <param name="config">The config.</param>
    /// <param name="stores">Its stores, in the order of the config; they should give up soon.</param>
    /// <param name="cipher">The cipher of the config, to encrypt.</param>
    /// <param name="identity">The private key that the config names for drills, or null.</param>
    /// <param name="cipherFor">The cipher for a snapshot, with that key.</param>
    /// <param name="clock">The time.</param>
    internal DoctorOperation(
        BackupConfig config,
        IReadOnlyList<BackupStore> stores,
        Func<ICipher> cipher,
        Identity? identity,
        Func<Manifest, ICipher> cipherFor,
        TimeProvider clock
    )
    {
        this.config = config;
        this.stores = stores;
        this.cipher = cipher;
        this.identity = identity;
        this.cipherFor = cipherFor;
        this.clock = clock;
    }

    /// <summary>What is asked of this host.</summary>
    internal DoctorHost Host { get; init; } = new();

    /// <summary>Asks Neon how far back it reaches; null where the config does not say so.</summary>
    internal NeonClient? NeonApi { get; init; }

    /// <summary>Looks.</summary>
    /// <param name="only">At these areas; at all of them where there is none.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="OperationCanceledException">It was cancelled. Whatever else goes wrong is in the report.</exception>
    public async Task<DoctorReport> RunAsync(IReadOnlyCollection<DoctorArea> only, CancellationToken cancel)
    {
        long start = clock.GetTimestamp();
        var newest = new NewestSnapshot([.. stores.Select(static s => s.Store)], clock);
        var source = new SourceExamination(config, clock);
        bool Wants(DoctorArea area) => only.Count == 0 || only.Contains(area);

        var ofSource = new Sheet(DoctorArea.Source);
        Task<bool> sourceKnown = Wants(DoctorArea.Source)
            ? ofSource.WithinAsync(source.Subject, AreaTime, c => source.RunAsync(ofSource, c), clock, cancel)
            : Task.FromResult(false);
        List<Task> examinations = [sourceKnown];
        List<Sheet> sheets = [ofSource];
        if (NeonApi is not null && Wants(DoctorArea.Source))
        {
            examinations.Add(AreaAsync(DoctorArea.Source, new NeonExamination(config, NeonApi).RunAsync, sheets, cancel));
        }

        if (Wants(DoctorArea.Stores))
        {
            examinations.Add(StoresAsync(newest, source, sourceKnown, sheets, cancel));
        }

        if (Wants(DoctorArea.Keys))
        {
            var keys = new KeysExamination(cipher, identity, cipherFor, [.. stores.Select(static s => s.Store)], newest, clock);
            examinations.Add(AreaAsync(DoctorArea.Keys, keys.RunAsync, sheets, cancel));
        }

        if (Wants(DoctorArea.Drill))
        {
            var drill = new DrillExamination(config.Drill, newest, Host, clock);
            async Task<int?> MajorAsync()
            {
                await SourceAsync(sourceKnown, cancel);
                return source.Facts?.Major;
            }

            examinations.Add(AreaAsync(DoctorArea.Drill, (s, c) => drill.RunAsync(MajorAsync, s, c), sheets, cancel));
        }

        if (Wants(DoctorArea.Files))
        {
            examinations.Add(AreaAsync(DoctorArea.Files, (s, _) => new FilesExamination(config, Host).RunAsync(s), sheets, cancel));
        }

        if (Wants(DoctorArea.Notify))
        {
            examinations.Add(AreaAsync(DoctorArea.Notify, (s, _) => new NotifyExamination(config).RunAsync(s), sheets, cancel));
        }

        await Task.WhenAll(examinations);
        return Report(sheets, newest, clock.GetElapsedTime(start));
    }

    // One sheet for each store, since one that hangs keeps nothing back of the others.
    private async Task StoresAsync(
        NewestSnapshot newest,
        SourceExamination source,
        Task<bool> sourceKnown,
        List<Sheet> sheets,
        CancellationToken cancel
    )
    {
        Sheet[] own = [.. stores.Select(static _ => new Sheet(DoctorArea.Stores))];
        var together = new Sheet(DoctorArea.Stores);
        var disk = new Sheet(DoctorArea.Stores);
        sheets.AddRange([.. own, together, disk]);
        var examination = new StoresExamination(config, stores, newest, Host, clock);
        async Task<string?> DataFolderAsync()
        {
            await SourceAsync(sourceKnown, cancel);
            return source.DataFolder;
        }

        Task disks = disk.WithinAsync(
            "the disk of the server",
            AreaTime,
            c => new ServerDisk(config, Host, clock).RunAsync(DataFolderAsync, disk, c),
            clock,
            cancel
        );
        await examination.RunAsync(own, together, cancel);
        await disks;
    }

    private Task AreaAsync(DoctorArea area, Func<Sheet, CancellationToken, Task> examine, List<Sheet> sheets, CancellationToken cancel)
    {
        var sheet = new Sheet(area);
        sheets.Add(sheet);
        return sheet.WithinAsync(area.Word(), AreaTime, c => examine(sheet, c), clock, cancel);
    }

    private async Task SourceAsync(Task<bool> sourceKnown, CancellationToken cancel) =>
        await Task.WhenAny(sourceKnown, Task.Delay(OtherAreaTime, clock, cancel));

    private static DoctorReport Report(IReadOnlyList<Sheet> sheets, NewestSnapshot newest, TimeSpan elapsed)
    {
        List<(LookedAt Looked, IReadOnlyList<Finding> Findings)> lines = [];
        List<ClockReading> clocks = [];
        foreach (Sheet sheet in sheets)
        {
            var (own, read) = sheet.Close();
            lines.AddRange(own);
            clocks.AddRange(read);
        }

        var last = new Sheet(DoctorArea.Stores);
        if (clocks.Count > 0)
        {
            last.Add($"clocks: {string.Join(", ", clocks.Select(static c => c.Name))} and this host agree", ClockReading.Judge(clocks));
        }

        if (newest.Ignored.Count > 0)
        {
            last.Add("snapshots that cannot be read", newest.Ignored);
        }

        lines = [.. lines.Concat(last.Close().Lines).OrderBy(static l => l.Looked.Area)];
        return new DoctorReport
        {
            Looked = [.. lines.Select(static l => l.Looked)],
            Findings = [.. lines.SelectMany(static l => l.Findings)],
            Seconds = Math.Round(elapsed.TotalSeconds, 3),
        };
    }
}
