using PgBackup.Configuration;
using PgBackup.Serve.Scheduling;

namespace PgBackup.Serve.Http;

/// <summary>How the service stands.</summary>
internal sealed record ServiceFigures
{
    /// <summary>When it started.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>The config in use is not the one in the file, which is wrong.</summary>
    public required bool ReloadFailed { get; init; }

    /// <summary>Its jobs.</summary>
    public required IReadOnlyList<JobState> Jobs { get; init; }

    /// <summary>The label of a job.</summary>
    public static string NameOf(JobState job) => job.Kind.Word();
}
