using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Losses;
using PgBackup.Neon;
using PgBackup.Notifications;
using PgBackup.Operations;
using PgBackup.Operations.Backup;
using PgBackup.Operations.Check;
using PgBackup.Operations.Confirm;
using PgBackup.Operations.Diff;
using PgBackup.Operations.Doctor;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Keys;
using PgBackup.Operations.Prune;
using PgBackup.Operations.Restore;
using PgBackup.Operations.Restore.Tables;
using PgBackup.Operations.Status;
using PgBackup.Postgres;
using PgBackup.Records;
using PgBackup.Storage;
using PgBackup.Tools;

namespace PgBackup.Installations;

/// <content>The operations. An identity that is null is the config's.</content>
public sealed partial class Installation
{
    /// <summary>Writes records of what is done into all stores.</summary>
    /// <param name="progress">Gets a finding for each store that does not take one.</param>
    public Recorder Recorder(Progress progress) =>
        new(config.Cluster, config.RecordsNameWho, [.. Stores().Select(static s => s.Store)], clock, progress.Say);

    /// <summary>The nightly job, or a snapshot alone.</summary>
    public RunOperation Run(Progress progress) =>
        new(config, Stores(), Cipher(), clock, progress)
        {
            Recorder = Recorder(progress),
            Preflight = new FilesExamination(config, new DoctorHost { Program = null }).Untrusted,
        };

    /// <summary>A look at everything that the next run, drill and restore need.</summary>
    public DoctorOperation Doctor() =>
        new(
            config,
            [.. config.Stores.Select((s, i) => Stores()[i] with { Store = Make(Impatient(s), clock) })],
            Cipher,
            DrillIdentity,
            manifest => CipherFor(manifest, DrillIdentity),
            clock
        )
        {
            NeonApi = Neon(),
        };

    // A run tries for minutes what may pass. Who asks a doctor wants an answer.
    private static StoreConfig Impatient(StoreConfig store) => store.S3 is { } s3 ? store with { S3 = s3 with { Retries = 1 } } : store;

    /// <summary>What is known of the private keys, and tests of them, in all stores.</summary>
    public KeysOperation Keys(Progress progress) => new([.. Stores().Select(static s => s.Store)], clock) { Recorder = Recorder(progress) };

    /// <summary>The removal of what the rules no longer keep, in all stores or in the one of a name.</summary>
    public StoresPrune Prune(string? store, Progress progress) => new(Stores(store), clock, progress) { Recorder = Recorder(progress) };

    /// <summary>Pins, in all stores or in the one of a name.</summary>
    public PinOperation Pin(string? store, Progress progress) => new(Stores(store), clock) { Recorder = Recorder(progress) };

    /// <summary>What was recorded, in all stores or in the one of a name.</summary>
    public RecordLog Log(string? store) => new([.. Stores(store).Select(static s => s.Store)], clock);

    /// <summary>Confirmations of losses, in all stores.</summary>
    public ConfirmOperation Confirm() => new([.. Stores().Select(static s => s.Store)], Recorder(new Progress()), clock);

    /// <summary>Which losses snapshots have, and which of them are confirmed, by all stores.</summary>
    public LossSurvey Losses() => new([.. Stores().Select(static s => s.Store)], clock);

    /// <summary>What differs between two snapshots of a store, or a snapshot and the source.</summary>
    public DiffOperation Diff(IObjectStore store, Progress progress) => new(config, store, clock, progress);

    /// <summary>How the backups stand, from all stores.</summary>
    public StatusOperation Status() =>
        new(config, Stores(), clock)
        {
            NeonApi = Neon(),
            FromHost = config.Notify.Count == 0 ? [] : NotifyReport.Failing(NoticeFile.Of(config.Cluster).TryRead()),
        };

    /// <summary>What Neon says of the project in the config; null where it has none.</summary>
    public NeonClient? Neon() => config.Neon is { } neon ? new NeonClient(neon, clock) : null;

    /// <summary>Tells whom a config names that has errors elsewhere.</summary>
    public static NotifyOperation Notify(NotifySettings settings, TimeProvider clock) =>
        new(settings, NoticeFile.Of(settings.Cluster), clock);

    /// <summary>Tells whom the config names.</summary>
    public NotifyOperation Notify() =>
        new(NotifySettings.Of(config), NoticeFile.Of(config.Cluster), clock) { Log = Log(null), Recorder = Recorder(new Progress()) };

    /// <summary>Checks of stores.</summary>
    /// <param name="those">The stores.</param>
    /// <param name="identity">The private key.</param>
    /// <param name="tools">What decodes; the check does not dispose it.</param>
    /// <param name="journal">Remembers what was read, or null.</param>
    /// <param name="repair">What is damaged or missing is copied from a store that has it whole.</param>
    /// <param name="progress">For a display.</param>
    public StoresCheck Check(
        IReadOnlyList<BackupStore> those,
        Identity? identity,
        DecodingTools tools,
        CheckJournal? journal,
        bool repair,
        Progress progress
    ) =>
        new(
            those,
            config.Cluster,
            clock,
            store => new CheckOperation(store, manifest => CipherFor(manifest, identity), tools.ForAsync, clock, progress)
            {
                Journal = journal,
            }
        )
        {
            MaxAge = config.MaxAge,
            Losses = Losses(),
            Recorder = Recorder(progress),
            Repair = repair ? new StoresRepair(Stores(), clock, progress) : null,
        };

    /// <summary>The tools that decode the dumps of any version; of an image, where one is named.</summary>
    public DecodingTools ToolsToDecode(string? image) => new(config.Source, image, clock);

    /// <summary>A restore of databases and roles.</summary>
    public RestoreOperation Restore(IObjectStore store, Identity? identity, Progress progress) =>
        new(store, manifest => CipherFor(manifest, identity), clock, progress)
        {
            MaxAge = config.MaxAge,
            Recorder = Recorder(progress),
            Losses = Losses(),
        };

    /// <summary>A restore of single tables.</summary>
    public TableRestoreOperation RestoreTables(IObjectStore store, Identity? identity, Progress progress) =>
        new(store, manifest => CipherFor(manifest, identity), clock, progress)
        {
            MaxAge = config.MaxAge,
            Recorder = Recorder(progress),
            Losses = Losses(),
        };

    /// <summary>A rehearsal of a restore, reported to all stores.</summary>
    public DrillOperation Drill(Identity? identity, Progress progress) =>
        new(config.Drill, Stores(), config.Cluster, manifest => CipherFor(manifest, identity), clock, progress)
        {
            Recorder = Recorder(progress),
        };

    /// <summary>The reports of past drills, in all stores or in the one of a name.</summary>
    public DrillReports DrillReports(string? store, Progress progress) =>
        new([.. Stores(store).Select(static s => s.Store)], clock, progress.Say);

    /// <summary>What a target of a restore has; nothing is changed.</summary>
    /// <exception cref="PgBackupException">The target cannot be reached, or the tools for it are missing.</exception>
    public Task<TargetSurvey> SurveyAsync(RestoreTarget target, IReadOnlyList<string> databases, CancellationToken cancel) =>
        TargetSurvey.ReadAsync(target, databases, clock, cancel);

    /// <summary>The containers of Postgres that run on this host.</summary>
    /// <param name="engine"><c>podman</c> or <c>docker</c>; where it is missing there are none.</param>
    /// <param name="cancel">Gives up.</param>
    public Task<IReadOnlyList<RunningContainer>> ServersAsync(string engine, CancellationToken cancel) =>
        ToolFinder.ServersAsync(new ContainerEngine(engine, clock), cancel);
}
