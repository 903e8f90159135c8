namespace PgBackup.Encryption;

/// <summary>
/// Lets decryptions ask gpg-agent for a key one at a time until one has succeeded. The agent writes the file of a key that was imported
/// in batch again at its first use (out of the form <c>openpgp-native</c>), and answers a reader at that moment that there
/// is no secret key: 1 of 300 fresh imports under load, with GnuPG 2.2.40.
/// </summary>
internal sealed class FirstUse : IDisposable
{
    private readonly SemaphoreSlim one = new(1, 1);
    private volatile bool succeeded;

    /// <summary>Waits for the ones before, unless one of them has succeeded already.</summary>
    public async Task<Turn> EnterAsync(CancellationToken cancel)
    {
        if (succeeded)
        {
            return new Turn(null);
        }

        await one.WaitAsync(cancel);
        if (!succeeded)
        {
            return new Turn(this);
        }

        one.Release();
        return new Turn(null);
    }

    /// <inheritdoc/>
    public void Dispose() => one.Dispose();

    /// <summary>One decryption's turn, which ends once.</summary>
    internal sealed class Turn(FirstUse? of)
    {
        private FirstUse? of = of;

        /// <summary>The key was used, or was not.</summary>
        public void End(bool success)
        {
            if (Interlocked.Exchange(ref of, null) is { } turns)
            {
                turns.succeeded |= success;
                try
                {
                    turns.one.Release();
                }
                catch (ObjectDisposedException)
                {
                    // The cipher went first: nobody waits.
                }
            }
        }
    }
}
