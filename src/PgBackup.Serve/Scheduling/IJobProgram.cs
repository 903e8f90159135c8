namespace PgBackup.Serve.Scheduling;

/// <summary>Does jobs, each as a process of its own: what ends one takes neither this service nor another job.</summary>
internal interface IJobProgram
{
    /// <summary>Does a job.</summary>
    /// <param name="job">The job.</param>
    /// <param name="due">When it was due.</param>
    /// <param name="stop">Asks it to end.</param>
    /// <returns>Its exit code.</returns>
    Task<int> RunAsync(PlannedJob job, DateTimeOffset due, CancellationToken stop);
}
