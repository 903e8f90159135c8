using PgBackup.Host;
using PgBackup.Storage;

namespace PgBackup.Records;

/// <summary>
/// Writes one record of one use of this program into all stores at the same time. It never fails what is recorded: a store that does not
/// take the record is a finding. It waits a minute for a store at most.
/// </summary>
/// <param name="cluster">The cluster's name.</param>
/// <param name="namesWho">Records name user and host, and have notes.</param>
/// <param name="stores">All stores.</param>
/// <param name="clock">The time.</param>
/// <param name="say">Gets each finding.</param>
public sealed class Recorder(string cluster, bool namesWho, IReadOnlyList<IObjectStore> stores, TimeProvider clock, Action<Finding> say)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    // Who stops a program, and systemd or podman after it, waits no minute.
    private static readonly TimeSpan PatienceWhenCancelled = TimeSpan.FromSeconds(5);

    /// <summary>How many stores there are.</summary>
    public int StoreCount => stores.Count;

    /// <summary>Records name user and host.</summary>
    public bool NamesWho => namesWho;

    /// <summary>A record of what begins now, without its end.</summary>
    /// <param name="kind">What it is of.</param>
    /// <param name="what">What is done, as the subject of a sentence: <c>a snapshot of all databases</c>.</param>
    public Record Begin(RecordKind kind, string what)
    {
        _ = BinaryDigest.ComputeAsync(CancellationToken.None);
        return new Record
        {
            Format = Record.CurrentFormat,
            Kind = kind,
            Cluster = cluster,
            Started = clock.GetUtcNow(),
            Finished = clock.GetUtcNow(),
            User = namesWho ? Operator.Login : null,
            Host = namesWho ? Environment.MachineName : null,
            Tool = ProductVersion.Text,
            Result = RecordResult.Unknown,
            Summary = what,
        };
    }

    /// <summary>
    /// Does something, and records how it ended: also if it fails, and if it is cancelled. A wrong use or config (exit code 2) leaves no
    /// record, because nothing was begun.
    /// </summary>
    /// <param name="begun">Its record, by <see cref="Begin"/>.</param>
    /// <param name="work">What is done.</param>
    /// <param name="end">The record of its result.</param>
    /// <param name="cancel">What the work is cancelled by.</param>
    /// <exception cref="PgBackupException">What the work throws.</exception>
    public async Task<T> AroundAsync<T>(Record begun, Func<Task<T>> work, Func<T, Record> end, CancellationToken cancel)
    {
        T result;
        try
        {
            result = await work();
        }
        catch (Exception e) when (IsRecorded(e))
        {
            await WriteAsync(Failed(begun, e, cancel.IsCancellationRequested), cancel);
            throw;
        }

        await WriteAsync(end(result), cancel);
        return result;
    }

    /// <summary>Writes a record that ends now.</summary>
    /// <param name="record">The record, by <see cref="Begin"/>, with its result and summary.</param>
    /// <param name="hurry">Shortens the wait to some seconds. What was done is recorded even so.</param>
    /// <returns>Which stores took it; the findings about the others, which were said too.</returns>
    public async Task<Recorded> WriteAsync(Record record, CancellationToken hurry)
    {
        if (stores.Count == 0)
        {
            return new Recorded(record, [], []);
        }

        using var limit = new CancellationTokenSource(Patience, clock);
        await using CancellationTokenRegistration shorter = hurry.UnsafeRegister(
            static l => ((CancellationTokenSource)l!).CancelAfter(PatienceWhenCancelled),
            limit
        );
        record = record with
        {
            Finished = clock.GetUtcNow(),
            Binary = await DigestAsync(limit.Token),
            Note = namesWho ? record.Note : null,
        };
        RecordName name = RecordsFolder.NewName(record);
        PgBackupException?[] errors = await Task.WhenAll(stores.Select(s => TryPutAsync(s, name, record, limit.Token)));
        List<Finding> findings = [];
        List<string> took = [];
        foreach ((IObjectStore store, PgBackupException? error) in stores.Zip(errors))
        {
            if (error is null)
            {
                took.Add(store.Name);
                continue;
            }

            // A host that restores or checks may have no right to write, and needs none.
            Severity severity = record.Kind is RecordKind.Restore or RecordKind.Check or RecordKind.Damage
                ? Severity.Note
                : Severity.Warning;
            string what = $"{store.Name}: the record of this {record.Kind.Word()} could not be written";
            findings.Add(Finding.Of(severity, ErrorCode.RecordNotWritten, store.Name, what, error));
        }

        findings.ForEach(say);
        return new Recorded(record, took, findings);
    }

    // Some stores cannot be interrupted (a folder on a server that does not answer): they are left behind.
    private static async Task<PgBackupException?> TryPutAsync(IObjectStore store, RecordName name, Record record, CancellationToken limit)
    {
        try
        {
            await Task.Run(() => new RecordsFolder(store).PutAsync(name, record, limit), limit).WaitAsync(limit);
            return null;
        }
        catch (Exception) when (limit.IsCancellationRequested)
        {
            return new PgBackupException(ErrorCode.StoreUnavailable, "the store did not answer in time.");
        }
        catch (PgBackupException e)
        {
            return e;
        }
        catch (Exception e)
        {
            return new PgBackupException(ErrorCode.Unexpected, $"an unexpected error: {e.GetType().Name}: {e.Message}", null, e);
        }
    }

    private static async Task<string?> DigestAsync(CancellationToken limit)
    {
        try
        {
            return await BinaryDigest.ComputeAsync(limit);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>An error of something that was begun.</summary>
    internal static bool IsRecorded(Exception error) => error is not (PgBackupException { ExitCode: 2 } or NothingDoneException);

    /// <summary>The record of something that ended with an error.</summary>
    internal Record Failed(Record begun, Exception error, bool cancelled)
    {
        string subject = begun.Snapshot ?? begun.Store ?? cluster;
        Finding why = error switch
        {
            PgBackupException { Code: ErrorCode.Cancelled } e => Finding.Of(Severity.Error, subject, e),
            _ when cancelled => Finding.Error(ErrorCode.Cancelled, subject, "it was cancelled"),
            PgBackupException e => Finding.Of(Severity.Error, subject, e),
            _ => Finding.Error(ErrorCode.Unexpected, subject, $"an unexpected error: {error.GetType().Name}"),
        };
        string how = why.Code == ErrorCode.Cancelled ? "cancelled" : $"failed ({PgBackupException.CodeTextOf(why.Code)})";
        return begun with { Result = RecordResult.Failed, Summary = $"{begun.Summary}: {how}", Findings = [why, .. begun.Findings] };
    }
}

/// <summary>A record, and where it is.</summary>
/// <param name="Record">What was written.</param>
/// <param name="Stores">The names of the stores that took it, in the config's order.</param>
/// <param name="Findings">Why others did not.</param>
public sealed record Recorded(Record Record, IReadOnlyList<string> Stores, IReadOnlyList<Finding> Findings);
