using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace PgBackup.Tests.Notifications;

/// <summary>Processes that the program left behind, to deliver notices.</summary>
internal static class LeftBehind
{
    /// <summary>Ends those that have a folder in their environment, and waits until they are gone.</summary>
    /// <exception cref="InvalidOperationException">One of them is still there.</exception>
    public static void End(string folder)
    {
        foreach (
            int id in Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Select(Id).OfType<int>().Where(i => Has(i, folder))
        )
        {
            try
            {
                using var left = Process.GetProcessById(id);
                left.Kill();
                if (!left.WaitForExit(TimeSpan.FromSeconds(10)))
                {
                    throw new InvalidOperationException($"the process {id} does not end");
                }
            }
            catch (ArgumentException)
            {
                // It has ended by itself.
            }
        }
    }

    private static int? Id(string? name) =>
        int.TryParse(name, CultureInfo.InvariantCulture, out int id) && id != Environment.ProcessId ? id : null;

    private static bool Has(int id, string folder)
    {
        try
        {
            // A folder's name is followed by a slash or by the end of the value: -1 is no part of -12.
            string environment = File.ReadAllText($"/proc/{id}/environ", Encoding.UTF8) + "\0";
            return environment.Contains(folder + "/", StringComparison.Ordinal)
                || environment.Contains(folder + "\0", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // it has ended, or is somebody else's
        }
    }
}
