using PgBackup.Host;

namespace PgBackup.Neon;

/// <summary>An API key in a file of its own. It is a secret: no message has it.</summary>
internal static class NeonKey
{
    // Neon's have some seventy characters.
    private const int LongestKey = 1000;

    /// <summary>Reads it.</summary>
    /// <param name="file">The file, or a pipe.</param>
    /// <param name="patience">How long a pipe is waited for.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The key, or why there is none.</returns>
    public static NeonTold<string> Read(string file, TimeSpan patience, CancellationToken cancel)
    {
        string fix = $"Make a key for the project in the Neon console, and write it alone into {ShellText.Word(file)} (mode 0600)";
        try
        {
            TrustedFile.Require(file, "file of the API key");
            if (!File.Exists(file))
            {
                return NeonTold<string>.Nothing($"the file {file} does not exist", fix);
            }

            string key = SmallFile.Text(file, patience, cancel).Trim();
            return key.Length is > 0 and <= LongestKey && key.All(static c => c is > ' ' and <= '~')
                ? new NeonTold<string>(key, null)
                : NeonTold<string>.Nothing($"what {file} holds is no API key, in one line", fix);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.UntrustedFile)
        {
            return NeonTold<string>.Nothing(e.Message.TrimEnd('.'), e.Remedy ?? fix);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return NeonTold<string>.Nothing($"{file} cannot be read: {e.Message.TrimEnd('.')}", "Check its owner and mode");
        }
    }
}
