using PgBackup.Host;

namespace PgBackup.Configuration;

/// <summary>A URL in a file of its own. It is a secret: no message has it.</summary>
public static class NotifyUrl
{
    /// <summary>Reads it.</summary>
    /// <param name="file">The file.</param>
    /// <param name="problem">Why there is none; empty where there is one.</param>
    /// <returns>Null where there is none.</returns>
    public static Uri? TryRead(string file, out string problem)
    {
        problem = "";
        try
        {
            TrustedFile.Require(file, "file of the URL");
            if (NamedFile.IsRegular(file) is not true)
            {
                problem = $"{file} is no file, or is missing";
                return null;
            }

            string[] lines = SmallFile.Lines(file);
            if (
                lines.Length != 1
                || !Uri.TryCreate(lines[0].Trim(), UriKind.Absolute, out Uri? url)
                || !(url.Scheme == Uri.UriSchemeHttps || url.Scheme == Uri.UriSchemeHttp)
            )
            {
                problem = $"what {file} holds is no URL of http or https, in one line";
                return null;
            }

            problem = url.UserInfo.Length > 0 ? $"the URL in {file} has a user or a password, which are not sent" : "";
            return problem.Length > 0 ? null : url;
        }
        catch (PgBackupException e)
        {
            problem = e.Message;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"{file} cannot be read: {e.Message}";
        }

        return null;
    }
}
