using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Streams;
using PgBackup.Tools;

namespace PgBackup.Operations;

/// <summary>One part of a snapshot in a store: verified, opened, decrypted, decoded.</summary>
internal sealed class StoredPart(IObjectStore store, SnapshotId id, Part part, IReadOnlyDictionary<string, string>? settings = null)
{
    /// <summary>The settings that it was dumped with (<see cref="Manifest.DumpSettings"/>); null when none were set.</summary>
    public IReadOnlyDictionary<string, string>? Settings => settings;

    /// <summary>The record of it.</summary>
    public Part Part => part;

    /// <summary>The key of its object.</summary>
    public string Key => SnapshotLayout.Key(id, part.Object);

    /// <summary>Compares presence and size with the manifest, from a listing.</summary>
    /// <returns>What is wrong, or null.</returns>
    public string? Compare(IReadOnlyDictionary<string, long> objects) =>
        !objects.TryGetValue(part.Object, out long size) ? "it is missing"
        : size != part.Size ? $"it has {size} bytes, and should have {part.Size}"
        : null;

    /// <summary>Reads every stored byte and compares the digest.</summary>
    /// <returns>What is wrong, or null.</returns>
    public async Task<string?> ReadThroughAsync(PartProgress display, CancellationToken cancel)
    {
        await using var hashing = new HashingStream(await store.OpenAsync(Key, cancel));
        display.Follow(() => hashing.BytesRead);
        byte[] buffer = new byte[1 << 20];
        while (await hashing.ReadAsync(buffer, cancel) > 0)
        {
            // only to be hashed
        }

        return Compare(hashing);
    }

    /// <summary>
    /// Reads every stored byte, decrypts it on the way, and compares both digests. This proves before anything is changed at a target that
    /// the object is the one of the manifest, and that the identity is right.
    /// </summary>
    /// <returns>What is wrong with the object, or null.</returns>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.IdentityUnusable"/>, or the error of a cipher, for an object that is
    /// right.</exception>
    public async Task<string?> DecryptThroughAsync(ICipher cipher, PartProgress display, CancellationToken cancel)
    {
        if (cipher is NoCipher)
        {
            return await ReadThroughAsync(display, cancel);
        }

        var stored = new HashingStream(await store.OpenAsync(Key, cancel));
        display.Follow(() => stored.BytesRead);
        try
        {
            await using var plain = new HashingStream(cipher.Decrypt(stored, cancel));
            byte[] buffer = new byte[1 << 20];
            while (await plain.ReadAsync(buffer, cancel) > 0)
            {
                // only to be hashed
            }

            return Compare(stored) ?? (plain.Sha256 == part.PlainSha256 ? null : "decrypted, it is not what was dumped (another SHA-256)");
        }
        catch (PgBackupException e) when (e.Code is ErrorCode.IdentityUnusable or ErrorCode.ToolFailed)
        {
            // Ciphers say little about what is wrong with their input: is it the object of the manifest at all?
            if (await ReadThroughAsync(display, cancel) is { } problem)
            {
                return problem;
            }

            throw;
        }
        finally
        {
            await stored.DisposeAsync();
        }
    }

    /// <summary>The decrypted stream. Its end means that it was whole.</summary>
    public async Task<Stream> OpenPlainAsync(ICipher cipher, CancellationToken cancel)
    {
        Stream stored = await store.OpenAsync(Key, cancel);
        try
        {
            return cipher.Decrypt(stored, cancel);
        }
        catch
        {
            await stored.DisposeAsync();
            throw;
        }
    }

    /// <summary>The statements that define the archive's schema. They stand at its beginning; what follows is not read.</summary>
    public async Task<ScriptReader> ReadSchemaAsync(ICipher cipher, PostgresTools tools, bool tablespaces, CancellationToken cancel)
    {
        var script = new ScriptReader { KeepStatements = true };
        List<string> arguments = ["--create", "--schema-only", "--file=-"];
        if (!tablespaces)
        {
            arguments.Add("--no-tablespaces");
        }

        ToolProcess restore = await tools.Host.StartAsync(
            new ToolCommand("pg_restore", arguments)
            {
                Label = $"pg_restore (reading {part.Object})",
                MayStopReading = true,
                LeavesRest = true,
            },
            cancel
        );
        await using ToolStream text = ToolStream.Through(restore, await OpenPlainAsync(cipher, cancel), cancel);
        await ArchiveDecoder.ReadAsync(text, script, cancel);
        script.RequireEnd();
        return script;
    }

    /// <summary>Decrypts and reads the globals' script.</summary>
    public async Task<ScriptReader> ReadScriptAsync(ICipher cipher, CancellationToken cancel)
    {
        var script = new ScriptReader { KeepStatements = true };
        await using Stream plain = await OpenPlainAsync(cipher, cancel);
        await ArchiveDecoder.ReadAsync(plain, script, cancel);
        script.RequireEnd();
        return script;
    }

    /// <summary>Decrypts and decodes everything, and compares plain digest and proof with the manifest.</summary>
    /// <returns>What is wrong, or null.</returns>
    public async Task<string?> DecodeAsync(ICipher cipher, PostgresTools tools, PartProgress display, CancellationToken cancel)
    {
        byte[] buffer = new byte[1 << 20];
        Proof proof;
        string sha256;
        if (part.Kind == PartKind.Globals)
        {
            var script = new ScriptStream(await OpenPlainAsync(cipher, cancel), part.Proof.DumpMajor);
            await using var hashing = new HashingStream(script);
            while (await hashing.ReadAsync(buffer, cancel) > 0)
            {
                // to its end
            }

            (proof, sha256) = (script.Proof!, hashing.Sha256);
        }
        else
        {
            // The wording of the schema is that of the pg_restore which reads it.
            ArchiveDecoder decoder = await ArchiveDecoder.StartAsync(tools, keepExcerpts: false, cancel);
            display.Follow(() => decoder.Script.BytesRead);
            await using var proving = new ProvingStream(new DeferredStream(async c => await OpenPlainAsync(cipher, c), cancel), decoder);
            while (await proving.ReadAsync(buffer, cancel) > 0)
            {
                // to its end
            }

            (proof, sha256) = (proving.Proof!, proving.Sha256!);
        }

        if (sha256 != part.PlainSha256)
        {
            return "decrypted, it is not what was dumped (another SHA-256)";
        }

        ProofComparison comparison = ProofComparison.Of(part.Proof, proof);
        return comparison.IsEqual ? null : $"decoded, it is not what was dumped: {string.Join("; ", comparison.Differences.Take(3))}";
    }

    private string? Compare(HashingStream stored) =>
        stored.BytesRead != part.Size ? $"it has {stored.BytesRead} bytes, and should have {part.Size}"
        : stored.Sha256 != part.Sha256 ? "its content was changed (its SHA-256 is not that of the manifest)"
        : null;
}
