namespace PgBackup.Serve.Scheduling;

/// <summary>What is known of what was done, by whichever host.</summary>
internal interface IJobHistory
{
    /// <summary>Whether a job was done at a moment or later.</summary>
    /// <param name="job">The job.</param>
    /// <param name="due">The moment.</param>
    /// <param name="cancel">Gives up.</param>
    Task<Done> DoneSinceAsync(PlannedJob job, DateTimeOffset due, CancellationToken cancel);
}

/// <summary>Whether a job was done.</summary>
internal enum Done
{
    /// <summary>No store tells.</summary>
    Unknown,

    /// <summary>It was done, well or badly.</summary>
    Yes,

    /// <summary>It was not done, or was cancelled.</summary>
    No,

    /// <summary>It was not done, nor ever before that moment: perhaps nobody missed it.</summary>
    NotYet,
}
