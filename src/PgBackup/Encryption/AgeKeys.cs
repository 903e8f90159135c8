using System.Globalization;
using PgBackup.Host;
using PgBackup.Tools;

namespace PgBackup.Encryption;

/// <summary>
/// The private keys of an age identity file, each in a file of its own, since age does not say which of several it used. Disposing it
/// removes the copies, which lie in a private folder.
/// </summary>
internal sealed class AgeKeys : IDisposable
{
    private readonly PrivateFolder? folder;

    private AgeKeys(IReadOnlyList<(string File, string? PublicKey)> files, PrivateFolder? folder)
    {
        Files = files;
        this.folder = folder;
    }

    /// <summary>Each key's file (of a single key it is the identity file itself) and its public half; null where it is not known
    /// that.</summary>
    public IReadOnlyList<(string File, string? PublicKey)> Files { get; }

    /// <summary>Reads an identity file: keys of age, one a line, or one SSH key.</summary>
    public static async Task<AgeKeys> ReadAsync(string file, TimeProvider clock, CancellationToken cancel)
    {
        string[] keys = await SplitAsync(file, cancel);
        if (keys.Length < 2)
        {
            return new AgeKeys([(file, await PublicKeyAsync(file, cancel))], null);
        }

        var folder = PrivateFolder.Create(clock);
        try
        {
            List<(string, string?)> files = [];
            foreach (string key in keys)
            {
                string one = Path.Combine(folder.Path, string.Create(CultureInfo.InvariantCulture, $"key{files.Count}"));
                await using (
                    var stream = new FileStream(
                        one,
                        new FileStreamOptions
                        {
                            Mode = FileMode.CreateNew,
                            Access = FileAccess.Write,
                            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
                        }
                    )
                )
                await using (var writer = new StreamWriter(stream))
                {
                    await writer.WriteLineAsync(key.AsMemory(), cancel);
                }

                files.Add((one, await PublicKeyAsync(one, cancel)));
            }

            return new AgeKeys(files, folder);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Two public keys are the same; an SSH key's comment is none of it.</summary>
    public static bool AreSame(string one, string? other) => other is not null && WithoutComment(one) == WithoutComment(other);

    /// <summary>A public key without an SSH key's comment.</summary>
    public static string WithoutComment(string key) =>
        key.Split(' ', 3, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is [var kind, var body, ..]
        && kind.StartsWith("ssh-", StringComparison.Ordinal)
            ? $"{kind} {body}"
            : key.Trim();

    /// <inheritdoc/>
    public void Dispose() => folder?.Dispose();

    private static async Task<string[]> SplitAsync(string file, CancellationToken cancel)
    {
        try
        {
            string[] lines = await File.ReadAllLinesAsync(file, cancel);
            return [.. lines.Select(static l => l.Trim()).Where(static l => l.StartsWith("AGE-", StringComparison.Ordinal))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PgBackupException(
                ErrorCode.IdentityUnusable,
                $"the identity file {file} cannot be read: {e.Message}",
                "Check its owner and mode.",
                e
            );
        }
    }

    // Of a hardware key (a plugin's), or one with a passphrase, nobody is asked.
    private static async Task<string?> PublicKeyAsync(string file, CancellationToken cancel)
    {
        foreach (ToolCommand ask in (ToolCommand[])[new("age-keygen", "-y", file), new("ssh-keygen", "-y", "-P", "", "-f", file)])
        {
            try
            {
                ToolResult result = await ToolProcess.TryReadAsync(ask, cancel);
                if (result.ExitCode == 0 && result.Output.Trim() is { Length: > 0 } key && !key.Contains('\n', StringComparison.Ordinal))
                {
                    return key;
                }
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
            {
                // Not every host has both.
            }
        }

        return null;
    }
}
