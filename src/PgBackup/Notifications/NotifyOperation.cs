using System.Security.Cryptography;
using PgBackup.Configuration;
using PgBackup.Operations.Keys;
using PgBackup.Operations.Status;
using PgBackup.Records;

namespace PgBackup.Notifications;

/// <summary>
/// Tells whom the config names how the backups stand: once for each change, and once a day while something is wrong. It fails nothing: a
/// channel that takes no notice is a finding, and is told the same again next time.
/// </summary>
/// <param name="settings">Whom.</param>
/// <param name="file">What this host remembers.</param>
/// <param name="clock">The time.</param>
public sealed class NotifyOperation(NotifySettings settings, NoticeFile file, TimeProvider clock)
{
    // What is found nowhere on this host may be in the stores: they get this long.
    private static readonly TimeSpan RecordsTime = TimeSpan.FromSeconds(6);

    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(30);

    /// <summary>The records in the stores; null where they are not asked.</summary>
    public RecordLog? Log { get; init; }

    /// <summary>Records in the stores that somebody was told; null for none.</summary>
    public Recorder? Recorder { get; init; }

    /// <summary>What delivers.</summary>
    internal Deliverer Deliverer { get; init; } = new(settings.Channels, clock);

    /// <summary>Tells dead man's switches that a run starts. It is not waited for, and not tried for long.</summary>
    public Task StartAsync(CancellationToken cancel)
    {
        var now = new Situation { Level = StatusLevel.Green, Findings = [] };
        Delivery[] deliveries =
        [
            .. settings
                .Channels.Where(static c => c.IsDeadMansSwitch)
                .Select(c => new Delivery { Channel = c.Name, Notice = NoticeOf(NoticeKind.Start, now, clock.GetUtcNow()) }),
        ];
        return deliveries.Length == 0 ? Task.CompletedTask : Deliverer.DeliverAsync(deliveries, static _ => false, StartTime, cancel);
    }

    /// <summary>Decides who is told. <see cref="DeliverAsync"/> tells them.</summary>
    /// <param name="occasion">What has just ended.</param>
    /// <param name="status">How the backups stand; null where it was not read.</param>
    /// <param name="cancel">Ends it before.</param>
    public async Task<IReadOnlyList<Delivery>> DecideAsync(Occasion occasion, StatusReport? status, CancellationToken cancel)
    {
        DateTimeOffset time = clock.GetUtcNow();
        NoticeMemory known = file.TryRead() ?? await FromRecordsAsync(cancel);
        NoticeMemory memory = file.Update(known, m => occasion.Apply(m, status, time));
        IEnumerable<Finding> own = memory.Failed.Values.Select(static f => f.Why);
        var now = Situation.Of(status, occasion is { Job: null, Failure: { } once } ? own.Append(once) : own);
        List<Delivery> deliveries = [];
        Dictionary<string, ChannelMemory> decided = new(StringComparer.Ordinal);
        foreach (NotifyConfig channel in settings.Channels)
        {
            ChannelMemory? last = memory.Channels.GetValueOrDefault(channel.Name);
            if (channel.IsDeadMansSwitch)
            {
                // What nobody looked at is not good; a switch that hears nothing tells that.
                if (occasion.IsRun && (now.IsKnown || now.Level == StatusLevel.Red))
                {
                    deliveries.Add(new Delivery { Channel = channel.Name, Notice = NoticeOf(NoticeKind.Run, now, time) });
                    decided[channel.Name] = (last ?? new ChannelMemory()) with { DecidedAt = time };
                }

                continue;
            }

            var decision = NoticeDecision.Of(last, now, channel.On, occasion.Happened, time);
            if (decision.Kind is { } kind)
            {
                deliveries.Add(
                    new Delivery
                    {
                        Channel = channel.Name,
                        Notice = NoticeOf(kind, now, time),
                        After = decision.After,
                    }
                );
                decided[channel.Name] = (last ?? new ChannelMemory()) with { DecidedAt = time };
            }
            else
            {
                decided[channel.Name] = decision.After;
            }
        }

        // Of channels that are not in the config any more nothing is remembered: they would be told what is long past.
        _ = file.Update(memory, m => m with { Channels = Known(m.Channels.Concat(decided)) });
        return deliveries;
    }

    /// <summary>Sends a test to every channel.</summary>
    /// <param name="patience">How long it may take.</param>
    /// <param name="cancel">Ends it before.</param>
    public Task<NotifyReport> TestAsync(TimeSpan patience, CancellationToken cancel)
    {
        var now = new Situation
        {
            Level = StatusLevel.Green,
            Findings = [Finding.Note(ErrorCode.NotifyTest, settings.Cluster, "somebody tests whether notices arrive here")],
        };
        DateTimeOffset time = clock.GetUtcNow();
        return DeliverAsync(
            [.. settings.Channels.Select(c => new Delivery { Channel = c.Name, Notice = NoticeOf(NoticeKind.Test, now, time) })],
            patience,
            cancel
        );
    }

    /// <summary>Decides who is reminded to test the private keys: every channel but dead man's switches, whatever it is told else. It is
    /// recorded: whoever schedules it knows by that when it was done.</summary>
    /// <param name="report">The keys.</param>
    public async Task<IReadOnlyList<Delivery>> RemindAsync(KeysReport report)
    {
        DateTimeOffset time = clock.GetUtcNow();
        var now = new Situation { Level = StatusLevels.Of(report.Findings), Findings = [KeyReminder.Of(report, time), .. report.Findings] };
        Delivery[] deliveries =
        [
            .. settings
                .Channels.Where(static c => !c.IsDeadMansSwitch)
                .Select(c => new Delivery { Channel = c.Name, Notice = NoticeOf(NoticeKind.Keys, now, time) }),
        ];
        if (Recorder is not null)
        {
            Record begun = Recorder.Begin(
                RecordKind.KeyReminder,
                $"reminded {Words.Count(deliveries.Length, "channel")} of the private keys"
            );
            await Recorder.WriteAsync(begun with { Result = RecordResult.Ok }, hurry: new CancellationToken(canceled: true));
        }

        return deliveries;
    }

    /// <summary>Tells them.</summary>
    /// <param name="deliveries">Who is told what.</param>
    /// <param name="patience">How long it may take. What has not arrived by then is told again after the next verb.</param>
    /// <param name="cancel">Ends it before.</param>
    public async Task<NotifyReport> DeliverAsync(IReadOnlyList<Delivery> deliveries, TimeSpan patience, CancellationToken cancel)
    {
        IReadOnlyList<Delivered> results = await Deliverer.DeliverAsync(deliveries, IsStale, patience, cancel);
        if (results.Count > 0)
        {
            _ = file.Update(new NoticeMemory(), m => m with { Channels = Known(m.Channels.Concat(results.Select(r => After(m, r)))) });
        }

        Notice? told = results.FirstOrDefault(static r => r.Arrived && r.Delivery.After is not null)?.Delivery.Notice;
        if (Recorder is not null && told is not null)
        {
            int of = results.Count(static r => r.Delivery.After is not null);
            string[] arrived =
            [
                .. results.Where(static r => r.Delivery.After is not null && r.Arrived).Select(static r => r.Delivery.Channel),
            ];
            Record begun = Recorder.Begin(
                RecordKind.Notice,
                $"{Words.Count(arrived.Length, "channel")} of {of} took a notice: {told.Title}"
            );
            Record ended = begun with
            {
                Result = arrived.Length == of ? RecordResult.Ok : RecordResult.Partial,
                Findings = [.. told.Findings, .. arrived.Select(static a => Finding.Note(ErrorCode.NoticeSent, a, $"{a} took it"))],
            };
            await Recorder.WriteAsync(ended, hurry: new CancellationToken(canceled: true));
        }

        return new NotifyReport(results);
    }

    // A later verb has decided anew: its notice is the newer one.
    private bool IsStale(Delivery delivery) =>
        delivery.Notice.Kind != NoticeKind.Keys
        && file.TryRead()?.Channels.GetValueOrDefault(delivery.Channel)?.DecidedAt is { } decided
        && decided > delivery.Notice.Time;

    private KeyValuePair<string, ChannelMemory> After(NoticeMemory memory, Delivered result)
    {
        ChannelMemory before = memory.Channels.GetValueOrDefault(result.Delivery.Channel) ?? new ChannelMemory();
        bool isStale = before.DecidedAt > result.Delivery.Notice.Time;
        ChannelMemory after = result.Arrived ? (isStale ? before : result.Delivery.After ?? before) : before;
        DateTimeOffset? since = before.FailingSince ?? clock.GetUtcNow();
        after =
            result.Problem is null ? after with { FailingSince = null, Problem = null }
            : isStale ? before
            : after with { FailingSince = since, Problem = result.Problem };
        return new(result.Delivery.Channel, after);
    }

    private Dictionary<string, ChannelMemory> Known(IEnumerable<KeyValuePair<string, ChannelMemory>> channels)
    {
        Dictionary<string, ChannelMemory> known = new(StringComparer.Ordinal);
        foreach ((string name, ChannelMemory memory) in channels.Where(c => settings.Channels.Any(n => n.Name == c.Key)))
        {
            known[name] = memory;
        }

        return known;
    }

    // A record says what all channels were told. Whoever can write into a store can forge one: the file of this host comes first.
    private async Task<NoticeMemory> FromRecordsAsync(CancellationToken cancel)
    {
        if (Log is null)
        {
            return new NoticeMemory();
        }

        try
        {
            RecordListing? found = await Patience.WithinAsync(c => Log.ListAsync(1, RecordKind.Notice, c), RecordsTime, clock, cancel);
            if (found?.Entries is not [{ Record: { } record, Name: { } name }, ..] || name.IsAfter(clock.GetUtcNow()))
            {
                return new NoticeMemory();
            }

            var told = new Situation { Level = StatusLevels.Of(record.Findings), Findings = record.Findings };
            var memory = new ChannelMemory
            {
                Level = told.Level,
                Errors = told.Errors,
                Warnings = told.Warnings,
                ToldAt = record.Started,
            };
            string[] took = [.. record.Findings.Where(static f => f.Code == ErrorCode.NoticeSent).Select(static f => f.Subject)];
            return new NoticeMemory { Channels = Known(took.Select(c => KeyValuePair.Create(c, memory))) };
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            return new NoticeMemory(); // no store can be read: then it is told again
        }
    }

    private Notice NoticeOf(NoticeKind kind, Situation now, DateTimeOffset time)
    {
        Finding[] shown = [.. now.Findings.Take(Situation.MostFindings).Select(RecordCaps.Apply).Select(Harmless)];
        return new Notice
        {
            Format = Notice.CurrentFormat,
            Id = RandomNumberGenerator.GetHexString(16, lowercase: true),
            Kind = kind,
            Cluster = settings.Cluster,
            Host = settings.NamesHost ? Environment.MachineName : null,
            Time = time,
            Level = now.Level,
            Title = NoticeText.Title(kind, settings.Cluster, now, shown.FirstOrDefault()),
            Findings = shown,
            FindingsOmitted = now.Findings.Count - shown.Length,
        };
    }

    private static Finding Harmless(Finding finding) =>
        finding with
        {
            Subject = Foreign.Line(finding.Subject),
            What = Foreign.Line(finding.What),
            Why = finding.Why is null ? null : Foreign.Line(finding.Why),
            Fix = finding.Fix is null ? null : Foreign.Line(finding.Fix),
        };
}
