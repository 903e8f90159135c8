using PgBackup.Configuration;
using PgBackup.Neon;

namespace PgBackup.Operations.Doctor;

/// <summary>Whether Neon's own history reaches back as far as the config says.</summary>
internal sealed class NeonExamination(BackupConfig config, NeonClient api)
{
    /// <summary>Asks, and writes it down.</summary>
    public async Task RunAsync(Sheet sheet, CancellationToken cancel)
    {
        sheet.Doing = "asking Neon's API";
        NeonReading reading = await api.ReadAsync(cancel);
        string kept = reading.Project is { } project ? $": its history is kept for {NeonFindings.Span(project.Window)}" : "";
        sheet.Add($"project {config.Neon?.Project} of Neon{kept}", [.. NeonFindings.Of(config, reading)]);
    }
}
