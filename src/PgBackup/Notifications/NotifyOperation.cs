using System.Security.Cryptography;
using System.Text.Json;
using PgBackup.Configuration;
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

    /// <summary>Somebody is to be told.</summary>
    public bool IsWanted => settings.Channels.Count > 0;

    /// <summary>Tells dead man's switches that a run starts. It is not waited for, and not tried for long.</summary>
    public Task StartAsync(CancellationToken cancel)
    {
        var now = new Situation { Level = StatusLevel.Green, Findings = [] };
        Delivery[] deliveries =
        [
            .. settings
                .Channels.Where(static c => c.IsDeadMansSwitch)
                .Select(c => new Delivery { Channel = c.Name, Notice = NoticeOf(NoticeKind.Start, now) }),
        ];
        return deliveries.Length == 0 ? Task.CompletedTask : Deliverer.DeliverAsync(deliveries, StartTime, cancel);
    }

    /// <summary>Decides who is told, and tells them.</summary>
    /// <param name="occasion">What has just ended.</param>
    /// <param name="status">How the backups stand; null where it was not read.</param>
    /// <param name="patience">How long it may take. What has not arrived by then is in the report.</param>
    /// <param name="cancel">Ends it before.</param>
    public async Task<NotifyReport> TellAsync(Occasion occasion, StatusReport? status, TimeSpan patience, CancellationToken cancel)
    {
        NoticeMemory known = file.TryRead() ?? await FromRecordsAsync(cancel);
        NoticeMemory memory = file.Update(known, occasion.Apply);
        var now = Situation.Of(status, memory.Failed.Values);
        DateTimeOffset time = clock.GetUtcNow();
        List<Delivery> deliveries = [];
        Dictionary<string, ChannelMemory> silent = new(StringComparer.Ordinal);
        foreach (NotifyConfig channel in settings.Channels)
        {
            if (channel.IsDeadMansSwitch)
            {
                if (occasion.IsRun)
                {
                    deliveries.Add(new Delivery { Channel = channel.Name, Notice = NoticeOf(NoticeKind.Run, now) });
                }

                continue;
            }

            var decision = NoticeDecision.Of(memory.Channels.GetValueOrDefault(channel.Name), now, channel.On, occasion.Happened, time);
            if (decision.Kind is { } kind)
            {
                deliveries.Add(
                    new Delivery
                    {
                        Channel = channel.Name,
                        Notice = NoticeOf(kind, now),
                        After = decision.After,
                    }
                );
            }
            else
            {
                silent[channel.Name] = decision.After;
            }
        }

        // Of channels that are not in the config any more nothing is remembered: they would be told what is long past.
        _ = file.Update(memory, m => m with { Channels = Known(m.Channels.Concat(silent)) });
        return await DeliverAsync(deliveries, patience, cancel);
    }

    /// <summary>Goes on with deliveries that another process began.</summary>
    /// <param name="json">What it left, by <see cref="NotifyReport.ToJson"/>.</param>
    /// <param name="patience">How long.</param>
    /// <param name="cancel">Ends it before.</param>
    /// <exception cref="JsonException">It is something else.</exception>
    public Task<NotifyReport> ContinueAsync(string json, TimeSpan patience, CancellationToken cancel) =>
        DeliverAsync(JsonSerializer.Deserialize(json, NoticeJson.Default.Handover)?.Deliveries ?? [], patience, cancel);

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
        return DeliverAsync(
            [.. settings.Channels.Select(c => new Delivery { Channel = c.Name, Notice = NoticeOf(NoticeKind.Test, now) })],
            patience,
            cancel
        );
    }

    private async Task<NotifyReport> DeliverAsync(IReadOnlyList<Delivery> deliveries, TimeSpan patience, CancellationToken cancel)
    {
        IReadOnlyList<Delivered> results = await Deliverer.DeliverAsync(deliveries, patience, cancel);
        if (results.Count > 0)
        {
            _ = file.Update(new NoticeMemory(), m => m with { Channels = Known(m.Channels.Concat(results.Select(r => After(m, r)))) });
        }

        var report = new NotifyReport(settings.ConfigFile, results);
        if (Recorder is not null && report.Told is { } told)
        {
            int of = results.Count(static r => r.Delivery.After is not null);
            int arrived = results.Count(static r => r.Delivery.After is not null && r.Problem is null);
            Record begun = Recorder.Begin(RecordKind.Notice, $"told {Words.Count(arrived, "channel")} of {of}: {told.Title}");
            Record ended = begun with { Result = arrived == of ? RecordResult.Ok : RecordResult.Partial, Findings = told.Findings };
            await Recorder.WriteAsync(ended, hurry: new CancellationToken(canceled: true));
        }

        return report;
    }

    private KeyValuePair<string, ChannelMemory> After(NoticeMemory memory, Delivered result)
    {
        ChannelMemory before = memory.Channels.GetValueOrDefault(result.Delivery.Channel) ?? new ChannelMemory();
        ChannelMemory after = result.Problem is null
            ? (result.Delivery.After ?? before) with
            {
                FailingSince = null,
                Problem = null,
            }
            : before with
            {
                FailingSince = before.FailingSince ?? clock.GetUtcNow(),
                Problem = result.Problem,
            };
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
            return new NoticeMemory { Channels = Known(settings.Channels.Select(c => KeyValuePair.Create(c.Name, memory))) };
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled)
        {
            return new NoticeMemory(); // no store can be read: then it is told again
        }
    }

    private Notice NoticeOf(NoticeKind kind, Situation now)
    {
        Finding[] shown = [.. now.Findings.Take(Situation.MostFindings).Select(RecordCaps.Apply).Select(Harmless)];
        return new Notice
        {
            Format = Notice.CurrentFormat,
            Id = RandomNumberGenerator.GetHexString(16, lowercase: true),
            Kind = kind,
            Cluster = settings.Cluster,
            Host = settings.NamesHost ? Environment.MachineName : null,
            Time = clock.GetUtcNow(),
            Level = now.Level,
            Title = NoticeText.Title(kind, settings.Cluster, now),
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
