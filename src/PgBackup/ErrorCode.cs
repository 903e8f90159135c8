namespace PgBackup;

/// <summary>
/// The permanent codes of errors, and from 120 on of findings that end nothing by themselves. A code is never reused; docs/errors.md has
/// a section for each.
/// </summary>
public enum ErrorCode
{
    /// <summary>An unexpected error: a bug in this program, or a fault of the machine.</summary>
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

    /// <summary>The result of a verb could not be written to stdout.</summary>
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

    /// <summary>The database at the target has rows that are newer than the snapshot, and nobody confirmed that.</summary>
    TargetNewer = 87,

    /// <summary>Neon's history does not reach to the moment that was asked for.</summary>
    MomentUnreachable = 88,

    /// <summary>A private key decrypts, and what comes out is not what was encrypted.</summary>
    KeyTestFailed = 90,

    /// <summary>Not everything that was to be compared could be read.</summary>
    DiffIncomplete = 100,

    /// <summary>A manifest cannot be read from a store, while the store as a whole can be used.</summary>
    ObjectUnreadable = 110,

    /// <summary>Two stores of the config are one and the same place.</summary>
    StoresAreOne = 111,

    /// <summary>What an earlier version wrote down as a sentence.</summary>
    EarlierFinding = 120,

    /// <summary>A database of an earlier snapshot is not in the new one.</summary>
    DatabaseGone = 121,

    /// <summary>A database of the server is in no snapshot, because the config does not name it.</summary>
    DatabaseUncovered = 122,

    /// <summary>A database that no backup took is not on the server any more.</summary>
    UncoveredDatabaseGone = 123,

    /// <summary>A table of an earlier snapshot is not in the new one; as a note, an old partition of a table that stays.</summary>
    TableGone = 124,

    /// <summary>A table has less than half of its rows.</summary>
    TableShrunk = 125,

    /// <summary>The primary store was empty before this run.</summary>
    FirstSnapshot = 126,

    /// <summary>Snapshots stay longer than their rules say, because another store lacks them.</summary>
    SnapshotAwaited = 127,

    /// <summary>Something that was to be removed is still there.</summary>
    NotRemoved = 128,

    /// <summary>A store cannot do something that no promise depends on.</summary>
    StoreLimited = 129,

    /// <summary>Snapshots are encrypted to one key alone.</summary>
    OneRecipient = 130,

    /// <summary>A key expires soon, or has expired.</summary>
    KeyExpiring = 131,

    /// <summary>A private key was not tested for 90 days.</summary>
    KeyUntested = 132,

    /// <summary>Snapshots need a private key that the config does not name any more.</summary>
    RetiredKeyNeeded = 133,

    /// <summary>What a store knows of keys cannot be read.</summary>
    KeyRecordsUnreadable = 134,

    /// <summary>The canary for tests of keys is missing in a store and could not be written.</summary>
    CanaryNotWritten = 135,

    /// <summary>A key was tested, and a store did not take the record.</summary>
    KeyTestNotRecorded = 136,

    /// <summary>A drill decrypted a snapshot, and nobody knows by whose key.</summary>
    KeyNotKnown = 137,

    /// <summary>The lock of a store was taken over from a run that is gone.</summary>
    LockNoted = 138,

    /// <summary>A run removed nothing from a store, because the run itself did not do all that it should.</summary>
    PruneSkipped = 139,

    /// <summary>A database of an earlier swap is still at the target.</summary>
    SwapLeftover = 140,

    /// <summary>The target will refuse part of a restore.</summary>
    TargetFallsShort = 141,

    /// <summary>A role of the target keeps what the snapshot says otherwise, or a tablespace is not restored.</summary>
    RoleKept = 142,

    /// <summary>A restored database is equal, and something about it is worth knowing.</summary>
    RestoreNoted = 143,

    /// <summary>A question that a drill asked a restored database was answered wrongly, or not at all.</summary>
    AnswerWrong = 150,

    /// <summary>The key of an application does not decrypt what the application stored.</summary>
    ApplicationKeyWrong = 151,

    /// <summary>A restore takes longer than <c>drill.rto</c>.</summary>
    RtoExceeded = 152,

    /// <summary>The newest data is older than <c>drill.rpo</c>.</summary>
    RpoExceeded = 153,

    /// <summary>No store took the report of a drill.</summary>
    DrillNotRecorded = 154,

    /// <summary>A drill left something in the server that it used.</summary>
    DrillLeftover = 155,

    /// <summary>A drill restored with several jobs of pg_restore.</summary>
    RestoredByJobs = 156,

    /// <summary>The primary store holds no snapshot, though other stores do.</summary>
    StoreEmptied = 160,

    /// <summary>A repair could not copy a snapshot that a store lacks.</summary>
    GapNotFilled = 161,

    /// <summary>Something in the folder of a snapshot is odd, and is no damage.</summary>
    SnapshotNoted = 162,

    /// <summary>A new snapshot could not be compared with the one before it.</summary>
    ComparisonSkipped = 163,

    /// <summary>A column of an earlier snapshot is not in the new one.</summary>
    ColumnGone = 164,

    /// <summary>A table that had ten rows or more has none.</summary>
    TableEmptied = 165,

    /// <summary>A loss that <c>--expect-loss</c> announced did not happen.</summary>
    ExpectationUnmet = 166,

    /// <summary>Which losses were confirmed cannot be read from a store.</summary>
    ConfirmationsUnreadable = 170,

    /// <summary>A snapshot was to be confirmed that has no loss.</summary>
    NothingToConfirm = 171,

    /// <summary>No store took the record of a confirmation: nothing is confirmed.</summary>
    ConfirmationNotRecorded = 172,

    /// <summary>Losses are confirmed, and a store did not take the record or a mark.</summary>
    ConfirmedInPart = 173,

    /// <summary>A person has confirmed losses.</summary>
    LossConfirmed = 174,

    /// <summary>A store has no complete snapshot.</summary>
    NoCompleteSnapshot = 180,

    /// <summary>The newest complete snapshot of a store is older than <c>max_age</c>.</summary>
    SnapshotTooOld = 181,

    /// <summary>A snapshot's id is later than now.</summary>
    SnapshotFromTheFuture = 182,

    /// <summary>A store did not answer in time.</summary>
    StoreSilent = 183,

    /// <summary>A run was killed before it ended.</summary>
    RunKilled = 184,

    /// <summary>The last run failed, or part of it did.</summary>
    LastRunFailed = 185,

    /// <summary>A store lacks snapshots that its own rules would keep.</summary>
    StoreBehind = 186,

    /// <summary>No store is on another machine.</summary>
    NothingOffHost = 187,

    /// <summary>No drill was made for too long.</summary>
    DrillOverdue = 188,

    /// <summary>The last drill failed.</summary>
    LastDrillFailed = 189,

    /// <summary>A store did not take the record of what was done.</summary>
    RecordNotWritten = 190,

    /// <summary>The records of a store, or one of them, cannot be read.</summary>
    RecordsUnreadable = 191,

    /// <summary>The role of a backup may not read a table.</summary>
    TableUnreadable = 200,

    /// <summary>The role of a backup may not read a sequence.</summary>
    SequenceUnreadable = 201,

    /// <summary>The role of a backup may not read a large object.</summary>
    LargeObjectUnreadable = 202,

    /// <summary>Row-level security hides rows from the role of a backup.</summary>
    RowsHidden = 203,

    /// <summary>The client tools are of an older minor version than the server.</summary>
    ClientOlder = 204,

    /// <summary>A setting of the server, a database or a role does harm to dumps, or to restores by hand.</summary>
    SettingBites = 205,

    /// <summary>A store takes objects, and does not remove them.</summary>
    StoreUndeletable = 206,

    /// <summary>A store does not show, or not give back, what it was given.</summary>
    StoreUnsound = 207,

    /// <summary>The clocks of this host, a server and the stores differ.</summary>
    ClockOff = 208,

    /// <summary>The image of a drill's scratch server is not on this host.</summary>
    ImageMissing = 209,

    /// <summary>This host has too little memory to spare for a drill.</summary>
    MemoryShort = 210,

    /// <summary>A disk has too little room for the next snapshot, or for a drill.</summary>
    DiskShort = 211,

    /// <summary>A store is on the same disk as the server's data.</summary>
    StoreOnServersDisk = 212,

    /// <summary>An examination did not end in time.</summary>
    ExaminationLate = 213,

    /// <summary>The role of a backup may not read the passwords of the roles.</summary>
    PasswordsUnreadable = 214,

    /// <summary>No store locks what it is given.</summary>
    StoreUnlocked = 215,

    /// <summary>Snapshots are not encrypted.</summary>
    StoredUnencrypted = 216,

    /// <summary>The server that the config names for drills does not let the role make what a drill makes.</summary>
    DrillTargetLimited = 217,

    /// <summary>The config names no private key for drills.</summary>
    DrillKeyMissing = 218,

    /// <summary>Every user of this host may read a secret.</summary>
    SecretReadable = 219,

    /// <summary>The file of metrics that the config names could not be written.</summary>
    MetricsNotWritten = 220,

    /// <summary>A channel of <c>notify:</c> takes no notices.</summary>
    NotifierFailing = 221,

    /// <summary>The config has no dead man's switch: a host that is down tells nobody.</summary>
    NoDeadMansSwitch = 222,

    /// <summary>The config names nobody to be told.</summary>
    NobodyNotified = 223,

    /// <summary>The last try of a job on this host failed.</summary>
    JobFailed = 224,

    /// <summary>A test of the channels of <c>notify:</c>.</summary>
    NotifyTest = 225,

    /// <summary>A channel of <c>notify:</c> took a notice.</summary>
    NoticeSent = 226,

    /// <summary>The address that <c>serve</c> is to listen on is taken, or not of this host.</summary>
    AddressTaken = 227,

    /// <summary>Another <c>serve</c> of the same cluster runs on this host.</summary>
    AlreadyServing = 228,

    /// <summary><c>serve</c> keeps its old config, because the new one is wrong.</summary>
    ReloadFailed = 229,

    /// <summary>Neon keeps the history of the project for less time than <c>neon.window</c> asks for.</summary>
    NeonWindowShort = 230,

    /// <summary>How far back Neon reaches is not known.</summary>
    NeonUnknown = 231,

    /// <summary>The source is not the host of the branch of Neon that is watched.</summary>
    NeonHostMismatch = 232,
}
