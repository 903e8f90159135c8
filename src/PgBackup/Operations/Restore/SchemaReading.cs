using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Postgres;

namespace PgBackup.Operations.Restore;

/// <summary>
/// Reads the schemas of archives, and the script of the globals, several at a time. Disposing it ends those that nobody waits for any
/// more.
/// </summary>
internal sealed class SchemaReading : IAsyncDisposable
{
    private readonly SemaphoreSlim slots;
    private readonly CancellationTokenSource ending;
    private readonly Dictionary<StoredPart, Task<ScriptReader>> reading;

    public SchemaReading(VerifiedSnapshot snapshot, PostgresTools tools, int atOnce, CancellationToken cancel)
    {
        slots = new SemaphoreSlim(Math.Max(1, atOnce));
        ending = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        ICipher cipher = snapshot.Cipher;
        reading = snapshot.Parts.ToDictionary(static p => p, p => ReadAsync(p, cipher, tools, slots.WaitAsync(ending.Token)));
        if (snapshot.Globals is { } globals)
        {
            reading[globals] = Task.Run(() => globals.ReadScriptAsync(cipher, ending.Token), CancellationToken.None);
        }
    }

    /// <summary>The schema of one of them, with its tablespaces; of the globals, their script.</summary>
    /// <exception cref="PgBackupException">It is no archive, or cannot be decrypted (which was found out before, as a rule).</exception>
    public Task<ScriptReader> OfAsync(StoredPart part) => reading[part];

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        foreach (Task<ScriptReader> one in reading.Values)
        {
            try
            {
                (await one).Dispose();
            }
            catch (Exception)
            {
                // Thrown already by OfAsync, or a consequence of another failure.
            }
        }

        ending.Dispose();
        slots.Dispose();
    }

    private async Task<ScriptReader> ReadAsync(StoredPart part, ICipher cipher, PostgresTools tools, Task turn)
    {
        await turn;
        try
        {
            // Reads of pipes block their thread: one for each.
            return await Task.Run(() => part.ReadSchemaAsync(cipher, tools, tablespaces: true, ending.Token), CancellationToken.None);
        }
        finally
        {
            slots.Release();
        }
    }
}
