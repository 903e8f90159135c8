namespace PgBackup.Operations.Doctor;

/// <summary>
/// What one examination wrote down so far. It may be closed while the examination still waits for something: what comes later is not added.
/// May be used by several threads.
/// </summary>
internal sealed class Sheet(DoctorArea area)
{
    private readonly Lock writing = new();
    private readonly List<(LookedAt Looked, IReadOnlyList<Finding> Findings)> lines = [];
    private readonly List<ClockReading> clocks = [];
    private bool isClosed;

    /// <summary>What the examination waits for, for the case that it never comes.</summary>
    public string Doing { get; set; } = "";

    /// <summary>Writes down what was looked at.</summary>
    /// <param name="what">What it was, and how it is if nothing was found.</param>
    /// <param name="findings">What was found.</param>
    public void Add(string what, params IReadOnlyList<Finding> findings)
    {
        lock (writing)
        {
            if (!isClosed)
            {
                lines.Add(
                    (
                        new LookedAt
                        {
                            Area = area,
                            What = what,
                            Findings = findings.Count,
                            Severity = findings.Select(static f => f.Severity).DefaultIfEmpty(Severity.Ok).Max(),
                        },
                        [.. findings]
                    )
                );
            }
        }
    }

    /// <summary>Writes down what another clock said.</summary>
    public void Read(ClockReading clock)
    {
        lock (writing)
        {
            clocks.Add(clock);
        }
    }

    /// <summary>All of it.</summary>
    public (IReadOnlyList<(LookedAt Looked, IReadOnlyList<Finding> Findings)> Lines, IReadOnlyList<ClockReading> Clocks) Close()
    {
        lock (writing)
        {
            isClosed = true;
            return ([.. lines], [.. clocks]);
        }
    }

    /// <summary>
    /// Examines on a thread of its own, for a limited time. What it throws is a finding, and so is that it did not end in time: then it is
    /// told to end, and left behind.
    /// </summary>
    /// <param name="subject">What is examined, for these findings.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="examine">Examines.</param>
    /// <param name="clock">The time.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<bool> WithinAsync(
        string subject,
        TimeSpan limit,
        Func<CancellationToken, Task> examine,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        // A disk that hangs takes its thread with it, and hears of no cancellation.
        Task examining = Task.Run(() => examine(stop.Token), CancellationToken.None);
        try
        {
            await examining.WaitAsync(limit, clock, cancel);
            return true;
        }
        catch (TimeoutException)
        {
            await stop.CancelAsync();
            Add(subject, Late(subject, limit));
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            Add(subject, Finding.Of(Severity.Error, subject, e));
        }
        catch (Exception e) when (!cancel.IsCancellationRequested)
        {
            // One area must not keep the others from the report.
            string what = $"the examination of {subject} ended with an unexpected error";
            Add(subject, Finding.Error(ErrorCode.Unexpected, subject, what, $"{e.GetType().Name}: {e.Message}"));
        }

        return false;
    }

    private Finding Late(string subject, TimeSpan limit) =>
        Finding.Error(
            ErrorCode.ExaminationLate,
            subject,
            $"the examination of {subject} did not end within {limit.TotalSeconds:0} s",
            Doing.Length > 0 ? $"it was still {Doing}" : null,
            "Look there first: a run waits for it too. `olympus-pgbackup doctor --only " + $"{area.Word()}` examines it again"
        );
}
