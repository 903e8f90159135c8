using System.Globalization;
using System.Text.Json;
using PgBackup.Host;

namespace PgBackup.Storage.Rclone;

/// <summary>
/// A lease on a store that can neither lock nor refuse to replace: each run writes an object of its own into a hidden folder, and then
/// looks whether another one's is there. Of two that begin at the same moment both may give up; never do both continue.
/// </summary>
/// <remarks>
/// It is valid for <see cref="ValidFor"/>, and renewed every <see cref="RenewEvery"/> by an object of a new name, so that one is there at
/// all times; the lease of a run that was killed ends by itself, and at once for runs on the same host. The clocks of the hosts must not
/// differ by more than some minutes, and the remote must list what was just written, as S3, B2 and disks do.
/// </remarks>
internal sealed class RcloneLock : IStoreLock
{
    /// <summary>The folder of the leases.</summary>
    internal const string Folder = ".locks";

    /// <summary>How long a lease is valid unless it is renewed.</summary>
    internal static readonly TimeSpan ValidFor = TimeSpan.FromMinutes(30);

    /// <summary>How often it is renewed.</summary>
    internal static readonly TimeSpan RenewEvery = TimeSpan.FromMinutes(5);

    // One has some 200 bytes.
    private const int LargestText = 64 << 10;

    private readonly RcloneStore store;
    private readonly string holder;
    private readonly TimeProvider clock;
    private readonly string nonce = Guid.NewGuid().ToString("N");
    private readonly List<string> written = [];
    private readonly CancellationTokenSource stop = new();
    private Task renewal = Task.CompletedTask;
    private string current = "";
    private long expiresTicks;
    private volatile bool lost;
    private int generation;
    private int disposed;

    private RcloneLock(RcloneStore store, string holder, TimeProvider clock)
    {
        this.store = store;
        this.holder = holder;
        this.clock = clock;
    }

    /// <inheritdoc/>
    public string? Note { get; private set; }

    private DateTimeOffset Expires => new(Interlocked.Read(ref expiresTicks), TimeSpan.Zero);

    /// <summary>Takes the lease.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.AlreadyRunning"/> or <see cref="ErrorCode.StoreUnavailable"/>.</exception>
    public static async Task<RcloneLock> TakeAsync(RcloneStore store, string holder, TimeProvider clock, CancellationToken cancel)
    {
        var lease = new RcloneLock(store, holder, clock);
        try
        {
            HeldLocks.Add(lease.nonce, store.Name);
            await lease.WriteAsync(cancel);
            await lease.RequireAloneAsync(cancel);
            lease.renewal = lease.RenewAsync();
            return lease;
        }
        catch
        {
            await lease.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public void RequireHeld()
    {
        if (lost || clock.GetUtcNow() >= Expires)
        {
            throw new PgBackupException(
                ErrorCode.AlreadyRunning,
                $"the lock of the store {store.Name} ({store.Location}) was lost: "
                    + $"{(lost ? "another run took it over" : "it could not be renewed in time")}.",
                "Look whether another run works in the store, and why this host could not reach it; then take the backup again."
            );
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 1)
        {
            return;
        }

        await stop.CancelAsync();
        await renewal;
        HeldLocks.Remove(nonce);
        foreach (string key in written)
        {
            try
            {
                using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1), clock);
                await store.DeleteAsync(key, limit.Token);
            }
            catch (Exception e) when (e is PgBackupException or OperationCanceledException or IOException)
            {
                // It ends by itself, and the next run removes it.
            }
        }

        stop.Dispose();
    }

    private async Task WriteAsync(CancellationToken cancel)
    {
        DateTimeOffset until = clock.GetUtcNow() + ValidFor;
        string key = string.Create(CultureInfo.InvariantCulture, $"{Folder}/{nonce}-{++generation}");
        written.Add(key);
        using var text = new MemoryStream(
            JsonSerializer.SerializeToUtf8Bytes(
                new RcloneLockText
                {
                    Holder = holder,
                    Expires = until,
                    Process = ProcessMark.Own,
                },
                RcloneJson.Default.RcloneLockText
            )
        );
        await store.PutAsync(key, text, null, cancel);
        current = key;
        Interlocked.Exchange(ref expiresTicks, until.UtcTicks);
    }

    private async Task RequireAloneAsync(CancellationToken cancel)
    {
        List<StoredObject> others = [];
        await foreach (StoredObject one in store.ListHiddenAsync(Folder, cancel))
        {
            if (!one.Key[(Folder.Length + 1)..].StartsWith('.') && !one.Key.StartsWith($"{Folder}/{nonce}", StringComparison.Ordinal))
            {
                others.Add(one);
            }
        }

        foreach (StoredObject other in others)
        {
            string mark = other.Key[(Folder.Length + 1)..].Split('-')[0];
            if (HeldLocks.Same(mark, store.Name, store.Location) is { } same)
            {
                throw same;
            }

            if (await ReadAsync(other, cancel) is not { } text)
            {
                continue; // given back meanwhile
            }

            if (
                text.Expires > clock.GetUtcNow()
                && !ProcessMark.IsGone(text.Process)
                && (text.Process is null || text.Process != ProcessMark.Own || HeldLocks.Has(mark))
            )
            {
                throw new PgBackupException(
                    ErrorCode.AlreadyRunning,
                    $"another run works in the store {store.Name} ({store.Location}): {text.Holder}.",
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"Wait for it to end, or stop it. The lock of a run that was killed ends by itself, at "
                            + $"{text.Expires.UtcDateTime:yyyy-MM-dd HH:mm} UTC."
                    )
                );
            }

            await store.DeleteAsync(other.Key, cancel);
            Note = string.Create(
                CultureInfo.InvariantCulture,
                $"removed the lock of a run that ended without giving it back: {text.Holder} (valid until "
                    + $"{text.Expires.UtcDateTime:yyyy-MM-dd HH:mm} UTC)."
            );
        }
    }

    private async Task<RcloneLockText?> ReadAsync(StoredObject found, CancellationToken cancel)
    {
        try
        {
            return await store.TryReadBytesAsync(found.Key, LargestText, cancel) is not { } text
                ? null
                : JsonSerializer.Deserialize(text, RcloneJson.Default.RcloneLockText) ?? throw new JsonException("null");
        }
        catch (Exception e) when (e is JsonException or PgBackupException { Code: ErrorCode.ObjectDamaged })
        {
            return new RcloneLockText { Holder = "its holder is not known", Expires = found.Modified + ValidFor };
        }
    }

    private async Task RenewAsync()
    {
        try
        {
            while (!lost)
            {
                await Task.Delay(RenewEvery, clock, stop.Token);
                await TryRenewAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // given back
        }
    }

    private async Task TryRenewAsync()
    {
        DateTimeOffset validUntil = Expires;
        try
        {
            string previous = current;
            if (clock.GetUtcNow() >= validUntil)
            {
                return; // too late: whoever comes may take it
            }

            if (await store.FindAsync(previous, stop.Token) is null)
            {
                lost = true;
                return;
            }

            await WriteAsync(stop.Token);
            lost = clock.GetUtcNow() >= validUntil; // somebody may have taken it in between
            await store.DeleteAsync(previous, stop.Token);
            written.Remove(previous);
        }
        catch (Exception e) when (e is PgBackupException or IOException)
        {
            // At the next turn; RequireHeld throws when it is too late.
        }
    }
}
