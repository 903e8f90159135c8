using System.Text.RegularExpressions;

namespace PgBackup.Configuration;

/// <summary>Reads <c>neon:</c>.</summary>
internal static partial class NeonReader
{
    // Neon itself keeps no history for so long.
    private static readonly TimeSpan LongestWindow = TimeSpan.FromDays(366);

    /// <summary>The project, or null where there is no section.</summary>
    public static NeonConfig? Read(YamlSection root)
    {
        if (root.Section("neon") is not { } section)
        {
            return null;
        }

        string project = section.RequiredText("project", "Write the id of the project: the Neon console shows it in its settings.");
        if (project.Length > 0 && !ProjectId().IsMatch(project))
        {
            section.Error(
                "project",
                $"\"{project}\" is no id of a project.",
                "Write the id, and not the name: letters, digits and dashes, for instance wispy-wind-123456."
            );
        }

        // Not whether it is there: a key that is missing must not cost a backup. `status` and `doctor` say it.
        string file = section.RequiredText("api_key_file", "Write the whole path of a file (mode 0600) with nothing but an API key in it.");
        if (file.Length > 0 && !Path.IsPathRooted(file))
        {
            section.Error(
                "api_key_file",
                "it is not the whole path of a file.",
                "Write for instance api_key_file: /etc/olympus-pgbackup/neon.key."
            );
        }

        TimeSpan? window = section.Has("window") ? section.Span("window", TimeSpan.FromDays(1)) : null;
        if (window is { } span && (span <= TimeSpan.Zero || span > LongestWindow))
        {
            section.Error("window", "it is out of bounds.", "Write how far back Neon should reach, for instance 7d, or leave it out.");
        }

        string? branch = section.Text("branch");
        if (branch is { Length: 0 })
        {
            section.Error("branch", "it is empty.", "Write its name or its id, or leave it out for the default branch.");
        }

        section.RejectUnknown();
        return new NeonConfig
        {
            Project = project,
            KeyFile = file,
            Window = window,
            Branch = branch,
        };
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9-]{0,99}\z")]
    private static partial Regex ProjectId();
}
