using System.Text;
using PgBackup.Encryption;
using PgBackup.Operations.Keys;
using PgBackup.Records;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Check;

/// <summary>
/// Reads the canaries of a store: against the digest that was written beside each, and, where a private key is at hand, decrypted against
/// the sentence that they hold. No restore needs them; a damaged one would let a test of a good key fail.
/// </summary>
internal sealed class CanaryCheck(IObjectStore store, Func<Manifest, ICipher> cipherFor, TimeProvider clock)
{
    private const string Remedy = "no restore needs it: --repair removes it, and the next run writes a new one";

    private readonly KeysFolder folder = new(store);

    /// <summary>What is wrong with them.</summary>
    /// <param name="seen">A manifest for each set of recipients whose snapshots were checked.</param>
    /// <param name="depth">How deep to look; nothing is read for <see cref="CheckDepth.Present"/>.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<IReadOnlyList<StoreProblem>> RunAsync(IReadOnlyCollection<Manifest> seen, CheckDepth depth, CancellationToken cancel)
    {
        List<StoreProblem> problems = [];
        if (depth == CheckDepth.Present)
        {
            return problems;
        }

        KeysListing listing = await folder.ListAsync(clock.GetUtcNow(), cancel);
        foreach (string sum in listing.SumsAlone)
        {
            problems.Add(Replaceable(sum, "the canary that it belongs to is missing"));
        }

        foreach (string name in listing.Names.Where(KeysFolder.IsCanary).Order(StringComparer.Ordinal))
        {
            try
            {
                if (await ProblemAsync(name, seen, depth, cancel) is { } problem)
                {
                    problems.Add(Replaceable(name, problem));
                }
            }
            catch (PgBackupException e) when (e.Code is ErrorCode.ObjectDamaged or ErrorCode.StoreUnavailable)
            {
                problems.Add(Of(name, e.Message));
            }
        }

        return problems;
    }

    private StoreProblem Replaceable(string name, string problem) => Of(name, $"{problem} ({Remedy})") with { IsReplaceable = true };

    private StoreProblem Of(string name, string problem) =>
        new()
        {
            Store = store.Name,
            Object = $"{SnapshotLayout.Keys}/{name}",
            Problem = problem,
        };

    private async Task<string?> ProblemAsync(string name, IReadOnlyCollection<Manifest> seen, CheckDepth depth, CancellationToken cancel)
    {
        if (await folder.ReadCanaryAsync(name, cancel) is not { } stored)
        {
            return "it is far too large for a canary";
        }

        string? sum = await folder.ReadCanarySumAsync(name, cancel);
        if (sum is not null && sum != KeysFolder.CanarySum(name, stored))
        {
            return "its SHA-256 is not the one that was written beside it: one of the two was changed";
        }

        foreach (Manifest manifest in seen)
        {
            await using ICipher cipher = cipherFor(manifest);
            if (KeysFolder.CanaryName(manifest.Recipients, cipher.Extension) != name)
            {
                continue;
            }

            // A run of this version writes a canary with its digest; earlier ones wrote none.
            if (sum is null && manifest.GuideSha256 is not null)
            {
                return "it has no digest beside it";
            }

            if (depth == CheckDepth.Decode || await CheckOperation.HasIdentityAsync(cipher, cancel))
            {
                return await DecryptAsync(cipher, stored, KeysFolder.CanaryText(manifest.Cluster), depth, cancel);
            }
        }

        return null;
    }

    private static async Task<string?> DecryptAsync(ICipher cipher, byte[] stored, string text, CheckDepth depth, CancellationToken cancel)
    {
        byte[] right = Encoding.UTF8.GetBytes(text);
        try
        {
            await using Stream plain = cipher.Decrypt(new MemoryStream(stored), cancel);
            byte[] start = new byte[right.Length + 1];
            int length = await plain.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancel);
            await plain.CopyToAsync(Stream.Null, cancel); // only its end says that it was whole
            return start.AsSpan(0, length).SequenceEqual(right) ? null : "decrypted, it is another text";
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.IdentityUnusable)
        {
            // With --identity the parts were decrypted by the same key, or the check has ended before.
            return depth == CheckDepth.Decode ? "it cannot be decrypted by the key that decrypts the snapshot" : null;
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolFailed)
        {
            return $"it cannot be decrypted: {e.Message}";
        }
    }
}

/// <summary>What is wrong with something in a store that belongs to no snapshot.</summary>
public sealed record StoreProblem
{
    /// <summary>The store.</summary>
    public required string Store { get; init; }

    /// <summary>The key of the object, or the name of the folder.</summary>
    public required string Object { get; init; }

    /// <summary>What is wrong with it.</summary>
    public required string Problem { get; init; }

    /// <summary>What a repair did about it, or why it could not; null when none was asked for.</summary>
    public string? Mended { get; init; }

    /// <summary>The next run writes it anew once it is gone.</summary>
    internal bool IsReplaceable { get; init; }
}
