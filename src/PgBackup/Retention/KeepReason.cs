using System.Globalization;

namespace PgBackup.Retention;

/// <summary>Why a snapshot is kept. Each reason suffices.</summary>
public sealed record KeepReason
{
    /// <summary>The kind of reason.</summary>
    public required KeepReasonKind Kind { get; init; }

    /// <summary>The first moment at which the reason is none any more; null for ever, or until something else changes.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>For people: <c>weekly until 2026-03-04</c> (a UTC date), <c>yearly, for ever</c>, <c>the newest complete one</c>.</summary>
    public override string ToString()
    {
        string text = Kind switch
        {
            KeepReasonKind.All => "all",
            KeepReasonKind.Daily => "daily",
            KeepReasonKind.Weekly => "weekly",
            KeepReasonKind.Monthly => "monthly",
            KeepReasonKind.Yearly => "yearly",
            KeepReasonKind.Pinned => "pinned",
            KeepReasonKind.NewestComplete => "the newest complete one",
            KeepReasonKind.NewestProven => "the newest proven one",
            KeepReasonKind.Newest => "the newest one",
            KeepReasonKind.Unreadable => "its manifest cannot be read",
            KeepReasonKind.Disputed => "its mark contradicts its manifest",
            KeepReasonKind.FromTheFuture => "from the future",
            KeepReasonKind.Locked => "locked",
            KeepReasonKind.Awaited => "a replica lacks it",
            KeepReasonKind.NewestWithoutLoss => "the newest one without an unconfirmed loss",
            _ => "no rules",
        };
        bool isRule = Kind is <= KeepReasonKind.Yearly or KeepReasonKind.NoRules;
        return Until is { } end ? string.Create(CultureInfo.InvariantCulture, $"{text} until {end.UtcDateTime:yyyy-MM-dd}")
            : isRule ? $"{text}, for ever"
            : text;
    }
}

/// <summary>The kinds of <see cref="KeepReason"/>, in the order in which they are listed.</summary>
public enum KeepReasonKind
{
    /// <summary>Every snapshot is kept so long.</summary>
    All,

    /// <summary>The first complete one of its day.</summary>
    Daily,

    /// <summary>The first complete one of its ISO week.</summary>
    Weekly,

    /// <summary>The first complete one of its month.</summary>
    Monthly,

    /// <summary>The first complete one of its year.</summary>
    Yearly,

    /// <summary>Somebody asked for it.</summary>
    Pinned,

    /// <summary>The newest complete one of the store, or of those not from the future.</summary>
    NewestComplete,

    /// <summary>The newest proven one of the store, or of those not from the future, or of the complete ones of either.</summary>
    NewestProven,

    /// <summary>The newest of any kind, of the store or of those not from the future.</summary>
    Newest,

    /// <summary>Nothing is known about it.</summary>
    Unreadable,

    /// <summary>Its mark says that it is incomplete, its manifest that it is complete.</summary>
    Disputed,

    /// <summary>Its id is later than now: one of two clocks was wrong, and its age is not known. Ends at the time of its id.</summary>
    FromTheFuture,

    /// <summary>The store would refuse to remove it.</summary>
    Locked,

    /// <summary>Another store should have a copy of it first.</summary>
    Awaited,

    /// <summary>The newest complete one without a loss that nobody confirmed, of the store or of those not from the future; where the
    /// newest
    /// complete one has none, that is the same and needs no other reason.</summary>
    NewestWithoutLoss,

    /// <summary>The rules have no tier, so they remove nothing.</summary>
    NoRules,
}
