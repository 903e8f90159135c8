namespace PgBackup.Records;

/// <summary>
/// How an operation is recorded where it has a recorder. Where it has none, as a part of another operation, it is only carried out.
/// </summary>
public static class Recording
{
    /// <summary>Does something, and records how it ended, as <see cref="Recorder.AroundAsync"/> says.</summary>
    /// <param name="recorder">The recorder, or null.</param>
    /// <param name="begin">Its record, without its end.</param>
    /// <param name="work">What is done.</param>
    /// <param name="end">The record, with what came of it.</param>
    /// <param name="cancel">What the work is cancelled by.</param>
    public static Task<T> RecordAsync<T>(
        this Recorder? recorder,
        Func<Recorder, Record> begin,
        Func<Task<T>> work,
        Func<Record, T, Record> end,
        CancellationToken cancel
    )
    {
        if (recorder is null)
        {
            return work();
        }

        Record begun = begin(recorder);
        return recorder.AroundAsync(begun, work, result => end(begun, result), cancel);
    }

    /// <summary>Does the first step of something, and records only that it failed. Whoever waits for the reason waits no minute for a store
    /// that may be the reason.</summary>
    /// <param name="recorder">The recorder, or null.</param>
    /// <param name="begin">Its record, without its end.</param>
    /// <param name="work">What is done.</param>
    /// <param name="cancel">What the work is cancelled by.</param>
    public static async Task<T> RecordFailureAsync<T>(
        this Recorder? recorder,
        Func<Recorder, Record> begin,
        Func<Task<T>> work,
        CancellationToken cancel
    )
    {
        Record? begun = recorder is null ? null : begin(recorder);
        try
        {
            return await work();
        }
        catch (Exception e) when (begun is not null && Recorder.IsRecorded(e))
        {
            await recorder!.WriteAsync(recorder.Failed(begun, e, cancel.IsCancellationRequested), hurry: new CancellationToken(true));
            throw;
        }
    }
}
