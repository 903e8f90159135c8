using PgBackup.Host;

namespace PgBackup.Applications;

/// <summary>A file with a service's secrets.</summary>
internal static class SecretFile
{
    /// <summary>The secrets, one a line, empty lines left out; or why there are none.</summary>
    public static (IReadOnlyList<string> Secrets, string? Problem) Read(string file)
    {
        if (TrustedFile.Problem(file) is var (what, remedy))
        {
            return ([], $"the secret_file {what} {remedy}");
        }

        try
        {
            string[] secrets = [.. SmallFile.Lines(file).Where(static l => l.Length > 0)];
            return (secrets, secrets.Length == 0 ? $"the secret_file {file} is empty" : null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ([], $"the secret_file {file} cannot be read: {e.Message}");
        }
    }
}
