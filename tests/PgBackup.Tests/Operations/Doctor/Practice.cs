using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Operations.Doctor;
using PgBackup.Operations.Keys;
using PgBackup.Storage;

namespace PgBackup.Tests.Operations.Doctor;

/// <summary>
/// A healthy installation, of which a test breaks one thing: a fake engine with a server, two local stores on other disks, two recipients
/// whose keys were tested, and a doctor. Its clock stands at 22 March 2026, four o'clock.
/// </summary>
internal sealed class Practice : IDisposable
{
    private readonly Stores stores = new();

    public Practice()
    {
        Engine = new FakeEngine(stores.Folder, stores.Clock.Now);
        Clock = new ManualClock(stores.Clock.Now);
        (Local, Offsite) = (stores.Faulty("local"), stores.Faulty("offsite"));
        Config = Parse($"cluster: olympus\nsource: {{ podman: {{ container: olympus-postgres, user: reader }} }}\n{Rest}");
        Config = Config with
        {
            Source = Config.Source with { Engine = Engine.Program },
            Drill = Config.Drill with { Scratch = Engine.Program },
        };
        Meminfo("8000000");
    }

    public FakeEngine Engine { get; }

    public ManualClock Clock { get; }

    public TestFolder Folder => stores.Folder;

    public FaultyStore Local { get; }

    public FaultyStore Offsite { get; }

    public BackupConfig Config { get; set; }

    /// <summary>Whose keys decrypt the next snapshot; what checking them throws, if it does.</summary>
    public IReadOnlyList<Recipient> Recipients { get; set; } = [Key("ops"), Key("escrow")];

    public Exception? Unusable { get; set; }

    public Identity? Identity { get; set; }

    /// <summary>The stores instead of the two.</summary>
    public IReadOnlyList<IObjectStore>? Others { get; set; }

    public DoctorHost Host { get; set; } =
        new()
        {
            Free = static _ => 100L << 30,
            Disk = static path => path.StartsWith("/volumes", StringComparison.Ordinal) ? (8u, 1u) : (8u, 2u),
            Program = null,
        };

    private string Rest =>
        $"""
            databases: [shop, iam]
            encryption: none
            stores:
              - name: local
                path: {stores.Folder["local"]}
              - name: offsite
                path: {stores.Folder["offsite"]}
            notify:
              - ping_file: {PingUrl()}

            """;

    private string PingUrl()
    {
        string file = Folder.Write("ping.url", "http://127.0.0.1:9/\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    public static Recipient Key(string name) => new() { Name = $"{name}@example.com", Fingerprint = $"FINGERPRINT OF {name}" };

    /// <summary>Reads a config; with a source by URL, for instance.</summary>
    public BackupConfig Parse(string text) => ConfigReader.ParseForBackup(text, Folder.Write("config.yaml", text));

    /// <summary>The same installation with another source.</summary>
    public void UseSource(string source) => Config = Parse($"cluster: olympus\nsource: {source}\n{Rest}") with { Drill = Config.Drill };

    public void Meminfo(string availableKib) =>
        Host = Host with { MemoryFile = Folder.Write("meminfo", $"MemTotal: 9000000 kB\nMemAvailable:    {availableKib} kB\n") };

    /// <summary>The key of a recipient decrypted something this long ago.</summary>
    public async Task TestedAsync(Recipient recipient, int daysAgo)
    {
        foreach (IObjectStore store in (IObjectStore[])[Local, Offsite])
        {
            await new KeysFolder(store).RecordAsync(
                new KeyTest
                {
                    Format = KeyTest.CurrentFormat,
                    Time = stores.Clock.Now.AddDays(-daysAgo),
                    Fingerprint = recipient.Fingerprint,
                    Name = recipient.Name,
                    Snapshot = "20260301T030000Z",
                    Store = store.Name,
                    Host = "host",
                    Tool = "1",
                    How = KeyTest.ByKeysTest,
                },
                Cancel
            );
        }
    }

    /// <summary>All keys were tested, and last night's snapshot is in both stores.</summary>
    public async Task<Practice> HealthyAsync()
    {
        foreach (Recipient recipient in Recipients)
        {
            await TestedAsync(recipient, daysAgo: 7);
        }

        await SnapshotSample.Of(SnapshotSample.Day(22)).PutAsync(Local);
        await SnapshotSample.Of(SnapshotSample.Day(22)).PutAsync(Offsite);
        return this;
    }

    public Task<DoctorReport> ExamineAsync(params DoctorArea[] only)
    {
        // The stores say that they are not encrypted only where nobody is a recipient.
        BackupConfig config = Config with
        {
            Encryption = Config.Encryption with { Kind = EncryptionKind.Age },
        };
        IReadOnlyList<IObjectStore> those = Others ?? [Local, Offsite];
        return new DoctorOperation(
            config,
            [.. those.Select((s, i) => Stores.Kept(s, locks: config.Stores[i].S3?.ObjectLock is not null))],
            () => new KnownRecipients(this),
            Identity,
            _ => new KnownRecipients(this),
            Clock
        )
        {
            Host = Host,
        }.RunAsync(only, Cancel);
    }

    public void Dispose() => stores.Dispose();

    private sealed class KnownRecipients(Practice practice) : ICipher
    {
        public string Kind => "age";

        public string Extension => ".age";

        public Task<IReadOnlyList<Recipient>> CheckAsync(CancellationToken cancel) =>
            practice.Unusable is { } error ? Task.FromException<IReadOnlyList<Recipient>>(error) : Task.FromResult(practice.Recipients);

        public Stream Encrypt(Stream plain, CancellationToken cancel) => plain;

        public Task<bool> HasIdentityAsync(CancellationToken cancel) => Task.FromResult(true);

        public Stream Decrypt(Stream stored, CancellationToken cancel) => stored;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
