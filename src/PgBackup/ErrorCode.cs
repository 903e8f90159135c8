namespace PgBackup;

/// <summary>The permanent codes of errors. A code is never reused; docs/errors.md has a section for each.</summary>
public enum ErrorCode
{
    /// <summary>An error nobody foresaw: a defect of this program.</summary>
    Unexpected = 1,

    /// <summary>The command line cannot be understood.</summary>
    Usage = 2,

    /// <summary>The run was cancelled by a signal.</summary>
    Cancelled = 3,

    /// <summary>No configuration file was found.</summary>
    ConfigMissing = 10,

    /// <summary>The configuration has errors; all of them are reported at once.</summary>
    ConfigInvalid = 11,

    /// <summary>Another user could change a file or folder that decides what this program does.</summary>
    UntrustedFile = 12,

    /// <summary>No folder for private files can be made.</summary>
    NoPrivateFolder = 13,

    /// <summary>The limit of open files is too low to work under.</summary>
    TooFewFiles = 14,

    /// <summary>A limit of address space or of the size of files is too low to work under.</summary>
    LimitTooLow = 15,

    /// <summary>A program that is needed is not installed.</summary>
    ToolMissing = 20,

    /// <summary>A program failed; its own last lines are quoted.</summary>
    ToolFailed = 21,

    /// <summary>The client tools do not have the server's major version.</summary>
    ToolVersion = 22,

    /// <summary>The container does not exist or is not running.</summary>
    ContainerUnavailable = 23,

    /// <summary>The server cannot be reached or does not let us in.</summary>
    Connection = 30,

    /// <summary>A connection setting that a backup must not use (a pooler, weak TLS).</summary>
    ConnectionRefusedByPolicy = 31,

    /// <summary>The database does not exist on the server.</summary>
    DatabaseMissing = 32,

    /// <summary>A statement failed on the server.</summary>
    SqlFailed = 33,

    /// <summary>The dump was made, but reading it back did not work or its proof is broken.</summary>
    DumpUnreadable = 34,

    /// <summary>A database, or the roles, could not be dumped; the others were.</summary>
    BackupIncomplete = 40,

    /// <summary>Not one database could be dumped.</summary>
    BackupFailed = 41,

    /// <summary>Another run holds the lock of this cluster or store.</summary>
    AlreadyRunning = 42,

    /// <summary>Definitions of a database were changed or dropped while it was dumped, from each new moment again.</summary>
    MomentLost = 44,

    /// <summary>Another transaction held locks on a database's tables for longer than <c>dump.lock_timeout</c>.</summary>
    TablesLocked = 45,

    /// <summary>A dump fell silent, and its server does nothing for it.</summary>
    DumpStalled = 46,

    /// <summary>A recipient is unknown, ambiguous, expired, revoked or cannot encrypt.</summary>
    RecipientUnusable = 50,

    /// <summary>The private key that decrypts is missing or wrong.</summary>
    IdentityUnusable = 51,

    /// <summary>What a verb had to tell could not be written to stdout.</summary>
    OutputLost = 52,

    /// <summary>The store cannot be read or written.</summary>
    StoreUnavailable = 60,

    /// <summary>The store belongs to another cluster.</summary>
    StoreOfAnotherCluster = 61,

    /// <summary>No such snapshot.</summary>
    SnapshotMissing = 62,

    /// <summary>The manifest cannot be read.</summary>
    ManifestUnreadable = 63,

    /// <summary>The manifest was written by a newer version of this program.</summary>
    ManifestTooNew = 64,

    /// <summary>An object of a snapshot is missing, cut short, changed or swapped.</summary>
    ObjectDamaged = 65,

    /// <summary>The snapshot has no such database.</summary>
    PartMissing = 66,

    /// <summary>The store does not encrypt what it was given, though the config relies on it.</summary>
    StoreNotEncrypting = 67,

    /// <summary>A replica lacks snapshots that it should hold.</summary>
    ReplicaIncomplete = 68,

    /// <summary>Nothing was removed from a store, because something about it is not as it should be.</summary>
    PruneWithheld = 69,

    /// <summary>The target of a restore cannot be used for it.</summary>
    TargetInvalid = 70,

    /// <summary>The database at the target has something in it.</summary>
    TargetNotEmpty = 71,

    /// <summary>The target's server is older than the snapshot's.</summary>
    TargetTooOld = 72,

    /// <summary>The restore reported errors.</summary>
    RestoreFailed = 73,

    /// <summary>What was restored does not equal the proof.</summary>
    ProofDiffers = 74,

    /// <summary>The roles could not all be restored.</summary>
    GlobalsFailed = 75,

    /// <summary>The target is the server that the snapshots are taken of.</summary>
    TargetIsSource = 76,

    /// <summary>What would be dropped was not confirmed.</summary>
    NotConfirmed = 77,

    /// <summary>Restored databases have not taken the places of the present ones.</summary>
    SwapFailed = 78,

    /// <summary>No scratch server could be started.</summary>
    ScratchFailed = 80,

    /// <summary>A rehearsed restore failed, differed, took too long, or a check of it failed.</summary>
    DrillFailed = 81,

    /// <summary>A decrypted archive could not be put aside for several jobs of pg_restore.</summary>
    StagingFailed = 82,

    /// <summary>The database in the snapshot has no such table.</summary>
    TableMissing = 86,

    /// <summary>The database at the target has rows that are newer than the snapshot, and nobody said that this is meant.</summary>
    TargetNewer = 87,

    /// <summary>A private key decrypts, and what comes out is not what was encrypted.</summary>
    KeyTestFailed = 90,

    /// <summary>Not everything that was to be compared could be read.</summary>
    DiffIncomplete = 100,

    /// <summary>A manifest cannot be read from a store, while the store as a whole can be used.</summary>
    ObjectUnreadable = 110,

    /// <summary>Two stores of the config are one and the same place.</summary>
    StoresAreOne = 111,
}
