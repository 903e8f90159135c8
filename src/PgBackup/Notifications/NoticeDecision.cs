using PgBackup.Configuration;
using PgBackup.Operations.Status;

namespace PgBackup.Notifications;

/// <summary>
/// Whether a channel is told, from what it was told last and how the backups stand now. Pure. Each change is told once; what stays red is
/// told once a day. With no memory it is told again: rather twice than never.
/// </summary>
/// <param name="Kind">Why it is told; null for not at all.</param>
/// <param name="After">What it remembers: at once where it is told nothing, else when the notice has arrived.</param>
internal sealed record NoticeDecision(NoticeKind? Kind, ChannelMemory After)
{
    // A day, less what nights differ by: one that ends early must not cost the reminder of a day.
    private static readonly TimeSpan ReminderAfter = TimeSpan.FromHours(20);

    // Clocks are set back: a notice of the future counts for nothing.
    private static readonly TimeSpan ClockSlack = TimeSpan.FromMinutes(10);

    /// <summary>Decides.</summary>
    /// <param name="last">What it was told last; null where that is not known.</param>
    /// <param name="now">How the backups stand.</param>
    /// <param name="on">What it may be told.</param>
    /// <param name="happened">A drill that ended, or a confirmation, that it may be told of; null for neither.</param>
    /// <param name="time">The time.</param>
    public static NoticeDecision Of(
        ChannelMemory? last,
        Situation now,
        IReadOnlyList<NoticeTopic> on,
        NoticeKind? happened,
        DateTimeOffset time
    )
    {
        ChannelMemory before = last ?? new ChannelMemory();
        if (!now.IsKnown)
        {
            // Nothing is well only because nobody looked: what was wrong stays so, and what failed joins it.
            now = now with
            {
                Level = now.Level == StatusLevel.Red ? StatusLevel.Red : before.Level,
            };
            IReadOnlyList<string> errors = [.. before.Errors.Union(now.Errors)];
            NoticeKind? unknown = now.Errors.Count == 0 ? null : Change(before, now, on, time);
            return new NoticeDecision(
                unknown,
                before with
                {
                    Level = now.Level,
                    Errors = errors,
                    ToldAt = unknown is null ? before.ToldAt : time,
                    DecidedAt = time,
                }
            );
        }

        NoticeKind? kind = Change(before, now, on, time);
        kind = happened switch
        {
            NoticeKind.Drill when on.Contains(NoticeTopic.Drill) => NoticeKind.Drill,
            // Who was told of a loss hears who settled it. A loss that is new is graver than that.
            NoticeKind.Confirmed when on.Contains(NoticeTopic.Recovered) && kind is not NoticeKind.Red => NoticeKind.Confirmed,
            _ => kind,
        };
        return new NoticeDecision(
            kind,
            before with
            {
                Level = now.Level,
                Errors = now.Errors,
                Warnings = now.Warnings,
                ToldAt = kind is null ? before.ToldAt : time,
                DecidedAt = time,
            }
        );
    }

    private static NoticeKind? Change(ChannelMemory before, Situation now, IReadOnlyList<NoticeTopic> on, DateTimeOffset time)
    {
        if (now.Level == StatusLevel.Red)
        {
            return !on.Contains(NoticeTopic.Red) ? null
                : before.Level != StatusLevel.Red || now.Errors.Except(before.Errors).Any() ? NoticeKind.Red
                : IsDue(before.ToldAt, time) ? NoticeKind.Reminder
                : null;
        }

        bool wasTold = before.Level == StatusLevel.Red || (before.Level == StatusLevel.Yellow && on.Contains(NoticeTopic.Yellow));
        if (now.Level == StatusLevel.Yellow)
        {
            return before.Level == StatusLevel.Red && on.Contains(NoticeTopic.Recovered) ? NoticeKind.Recovered
                : on.Contains(NoticeTopic.Yellow) && (before.Level != StatusLevel.Yellow || now.Warnings.Except(before.Warnings).Any())
                    ? NoticeKind.Yellow
                : null;
        }

        return wasTold && on.Contains(NoticeTopic.Recovered) ? NoticeKind.Recovered : null;
    }

    private static bool IsDue(DateTimeOffset? told, DateTimeOffset time) =>
        told is not { } at || time - at >= ReminderAfter || at - time > ClockSlack;
}
