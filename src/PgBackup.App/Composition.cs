using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Operations;
using PgBackup.Postgres;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Storage.Local;
using PgBackup.Storage.Rclone;
using PgBackup.Storage.S3;

namespace PgBackup.App;

/// <summary>Makes the engine's parts from a config, with plain constructors. The only place that does.</summary>
internal static class Composition
{
    /// <summary>The config, with its notices told; for work on stores alone it may lack the source.</summary>
    public static BackupConfig Config(string? file, CancellationToken cancel, bool forBackup = false)
    {
        BackupConfig config = ConfigReader.Read(ConfigReader.Find(file), forBackup, cancel);
        foreach (string notice in config.Notices)
        {
            Terminal.Message($"note: {config.File}: {notice}");
        }

        return config;
    }

    /// <summary>The primary store, or the one of a name.</summary>
    public static IObjectStore Store(BackupConfig config, string? name = null) => Store(name is null ? config.Stores[0] : Named(config, name));

    /// <summary>All stores with their rules, the primary first; or only the one of a name.</summary>
    public static IReadOnlyList<BackupStore> Stores(BackupConfig config, string? name = null) =>
        [.. (name is null ? config.Stores : [Named(config, name)]).Select(static s => new BackupStore { Store = Store(s), Keep = s.Keep, HasObjectLock = s.S3?.ObjectLock is not null })];

    /// <summary>The cipher that the config asks for.</summary>
    public static ICipher Cipher(BackupConfig config) => Cipher(config.Encryption.Kind, config.Encryption.Recipients, config, null);

    /// <summary>The cipher for a snapshot: of the kind it was encrypted with, whatever the config says now.</summary>
    public static ICipher CipherFor(Manifest manifest, BackupConfig config, Identity? identity) =>
        Cipher(manifest.Encryption, [.. manifest.Recipients.Select(static r => r.Fingerprint)], config, identity ?? ConfiguredIdentity(config));

    /// <summary>The identity of the config, or null when it names none.</summary>
    public static Identity? ConfiguredIdentity(BackupConfig config) =>
        config.Encryption.IdentityFile is null && config.Encryption.PassphraseFile is null
            ? null
            : new Identity { File = config.Encryption.IdentityFile, PassphraseFile = config.Encryption.PassphraseFile };

    /// <summary>The identity that the config names for drills, or the general one, or null.</summary>
    public static Identity? DrillIdentity(BackupConfig config) =>
        config.Drill.IdentityFile is null && config.Drill.PassphraseFile is null
            ? ConfiguredIdentity(config)
            : new Identity { File = config.Drill.IdentityFile ?? config.Encryption.IdentityFile, PassphraseFile = config.Drill.PassphraseFile };

    /// <summary>
    /// Tools that read an archive of a major version without any server: those of an image that was named; else on this host, in the source's
    /// container, or in an image.
    /// </summary>
    public static async Task<FoundTools> ToolsToReadAsync(BackupConfig config, int major, string? image, CancellationToken cancel)
    {
        if (image is not null)
        {
            return await ToolFinder.OfImageAsync(config.Source.Connection, image, cancel);
        }

        IReadOnlyList<PostgresTools> onHost = await PostgresTools.OnHostAsync(cancel);
        if (onHost.FirstOrDefault(t => t.Major == major) is { } exact)
        {
            return new FoundTools { Tools = exact };
        }

        // The same version words the schema in the same way; a newer one still decodes everything, and compares the rows.
        PostgresTools? newer = onHost.LastOrDefault(t => t.Major > major);
        if (config.Source.Engine is { } engine)
        {
            try
            {
                return await ToolFinder.InContainerAsync(engine, config.Source.Container!, cancel);
            }
            catch (PgBackupException) when (newer is not null)
            {
                return new FoundTools { Tools = newer };
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ContainerUnavailable)
            {
                string better = $"where the source is out of reach, check --tools-image postgres:{major} decodes in an image.";
                throw new PgBackupException(e.Code, e.Message, e.Remedy is null ? char.ToUpperInvariant(better[0]) + better[1..] : $"{e.Remedy} Or {better}", e);
            }
        }

        if (newer is not null && config.Source.ToolsImage is null)
        {
            return new FoundTools { Tools = newer };
        }

        return await ToolFinder.OfImageAsync(config.Source.Connection, config.Source.ToolsImage ?? $"docker.io/library/postgres:{major}", cancel);
    }

    private static StoreConfig Named(BackupConfig config, string name) =>
        config.Stores.FirstOrDefault(s => s.Name == name) ?? throw new PgBackupException(
            ErrorCode.Usage, $"the config has no store \"{name}\".", $"It has {string.Join(", ", config.Stores.Select(static s => s.Name))}.");

    private static IObjectStore Store(StoreConfig store) =>
        store.S3 is { } s3 ? new S3Store(store.Name, s3, TimeProvider.System)
        : store.Rclone is { } remote ? new RcloneStore(store.Name, remote, store.RcloneConfig, TimeProvider.System) { MustExist = store.MustExist }
        : new LocalStore(store.Name, store.Path!) { MustExist = store.MustExist };

    private static ICipher Cipher(string kind, IReadOnlyList<string> recipients, BackupConfig config, Identity? identity)
    {
        TrustedFile.Require(identity?.File, "private key");
        TrustedFile.Require(identity?.PassphraseFile, "file of the passphrase");
        return kind switch
        {
            "gpg" => new GpgCipher(recipients, config.Encryption.HomeFolder, identity, TimeProvider.System),
            "age" => new AgeCipher(recipients, identity),
            _ => new NoCipher(kind),
        };
    }
}
