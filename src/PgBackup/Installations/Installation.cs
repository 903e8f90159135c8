using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Operations;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using PgBackup.Storage.Rclone;
using PgBackup.Storage.S3;

namespace PgBackup.Installations;

/// <summary>
/// What a config installs for one cluster: config in, operations out. A verb, a scheduled job or a page asks it, and makes no other part of
/// the engine.
/// </summary>
/// <remarks>
/// Making it asks nothing of a store, a server or a key. Each store is made when it is first asked for, once, and shared from then on. May
/// be used by several threads.
/// </remarks>
/// <param name="config">The config.</param>
/// <param name="clock">The time, of all that it makes.</param>
public sealed partial class Installation(BackupConfig config, TimeProvider clock)
{
    private readonly Lazy<BackupStore>[] stores =
    [
        .. config.Stores.Select(s => new Lazy<BackupStore>(() =>
            new BackupStore
            {
                Store = Make(s, clock),
                Keep = s.Keep,
                HasObjectLock = s.S3?.ObjectLock is not null,
                IsOffHost = IsOffHost(s),
                PricePerGb = s.PricePerGb,
            }
        )),
    ];

    /// <summary>The config.</summary>
    public BackupConfig Config => config;

    /// <summary>The time.</summary>
    public TimeProvider Clock => clock;

    /// <summary>The identity of the config, or null when it names none.</summary>
    public Identity? ConfiguredIdentity =>
        config.Encryption.IdentityFile is null && config.Encryption.PassphraseFile is null
            ? null
            : new Identity { File = config.Encryption.IdentityFile, PassphraseFile = config.Encryption.PassphraseFile };

    /// <summary>The identity that the config names for drills, or the general one, or null.</summary>
    public Identity? DrillIdentity =>
        config.Drill.IdentityFile is null && config.Drill.PassphraseFile is null
            ? ConfiguredIdentity
            : new Identity
            {
                File = config.Drill.IdentityFile ?? config.Encryption.IdentityFile,
                PassphraseFile = config.Drill.PassphraseFile,
            };

    /// <summary>All stores with their rules, the primary first; or only the one of a name.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>: the config has no store of this name.</exception>
    public IReadOnlyList<BackupStore> Stores(string? name = null) => name is null ? [.. stores.Select(static s => s.Value)] : [Store(name)];

    /// <summary>The primary store, or the one of a name.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>: the config has no store of this name.</exception>
    public BackupStore Store(string? name = null)
    {
        int index = name is null ? 0 : config.Stores.Index().Where(s => s.Item.Name == name).Select(static s => s.Index).FirstOrDefault(-1);
        return index >= 0
            ? stores[index].Value
            : throw new PgBackupException(
                ErrorCode.Usage,
                $"the config has no store \"{name}\".",
                $"It has {string.Join(", ", config.Stores.Select(static s => s.Name))}."
            );
    }

    /// <summary>The snapshots of a store.</summary>
    /// <param name="store">The store.</param>
    /// <param name="passedOver">Gets each snapshot that is ignored because it cannot be read, once.</param>
    public Catalog CatalogOf(IObjectStore store, Action<Finding>? passedOver = null) =>
        new(store, clock) { PassedOver = passedOver ?? (static _ => { }) };

    /// <summary>The cipher that the config asks for, to encrypt.</summary>
    public ICipher Cipher() => Cipher(config.Encryption.Kind, config.Encryption.Recipients, null);

    /// <summary>The cipher for a snapshot: of the kind it was encrypted with, whatever the config says now.</summary>
    /// <param name="manifest">Of the snapshot.</param>
    /// <param name="identity">The private key; null for the config's.</param>
    /// <exception cref="PgBackupException">The key's file is one that others could exchange.</exception>
    public ICipher CipherFor(Manifest manifest, Identity? identity) =>
        Cipher(manifest.EncryptedBy(), [.. manifest.Recipients.Select(static r => r.Fingerprint)], identity ?? ConfiguredIdentity);

    private ICipher Cipher(EncryptionKind kind, IReadOnlyList<string> recipients, Identity? identity)
    {
        TrustedFile.Require(identity?.File, "private key");
        TrustedFile.Require(identity?.PassphraseFile, "file of the passphrase");
        return kind switch
        {
            EncryptionKind.Gpg => new GpgCipher(recipients, config.Encryption.HomeFolder, identity, clock),
            EncryptionKind.Age => new AgeCipher(recipients, identity, clock),
            EncryptionKind.None or EncryptionKind.Provider => new NoCipher(kind),
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "there is no cipher of this kind"),
        };
    }

    // A bucket on a loopback address is a program of this host. A remote of rclone may lead here by its own config: that is not read.
    private static bool IsOffHost(StoreConfig store) =>
        store.Path is { } folder ? MountKind.IsNetwork(folder)
        : store.S3 is { } s3 ? s3.Endpoint is not { IsLoopback: true }
        : store.Rclone?.StartsWith(":local", StringComparison.Ordinal) != true;

    private static IObjectStore Make(StoreConfig store, TimeProvider clock) =>
        store.S3 is { } s3 ? new S3Store(store.Name, s3, clock)
        : store.Rclone is { } remote ? new RcloneStore(store.Name, remote, store.RcloneConfig, clock) { MustExist = store.MustExist }
        : new LocalStore(store.Name, store.Path!) { MustExist = store.MustExist };
}
