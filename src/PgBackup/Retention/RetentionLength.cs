using System.Globalization;
using System.Text.RegularExpressions;

namespace PgBackup.Retention;

/// <summary>How long a tier keeps a snapshot: <c>6h</c>, <c>14d</c>, <c>3w</c>, <c>12mo</c>, <c>2y</c> or <c>forever</c>.</summary>
public sealed partial record RetentionLength
{
    /// <summary>What may be written, for messages.</summary>
    public const string Forms = "a number with h, d, w, mo or y, such as 14d or 12mo, or the word forever";

    private const string ForeverWord = "forever";
    private const int Largest = 99_999;

    private RetentionLength(int number, RetentionUnit unit)
    {
        Number = number;
        Unit = unit;
    }

    /// <summary>Without an end.</summary>
    public static RetentionLength Forever { get; } = new(0, RetentionUnit.Forever);

    /// <summary>How many units, 1 to 99999; 0 for <see cref="RetentionUnit.Forever"/>.</summary>
    public int Number { get; }

    /// <summary>The unit.</summary>
    public RetentionUnit Unit { get; }

    /// <summary>A number of units.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not 1 to 99999, or the unit cannot be counted.</exception>
    public static RetentionLength Of(int number, RetentionUnit unit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, Largest);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((int)unit, (int)RetentionUnit.Forever, nameof(unit));
        return new RetentionLength(number, unit);
    }

    /// <summary>Reads one; null for anything else. A bare <c>m</c> is refused: it could mean minutes.</summary>
    public static RetentionLength? TryParse(string text)
    {
        if (text == ForeverWord)
        {
            return Forever;
        }

        Match match = Pattern().Match(text);
        if (!match.Success)
        {
            return null;
        }

        return Of(
            int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture),
            match.Groups[2].Value switch
            {
                "h" => RetentionUnit.Hours,
                "d" => RetentionUnit.Days,
                "w" => RetentionUnit.Weeks,
                "mo" => RetentionUnit.Months,
                _ => RetentionUnit.Years,
            }
        );
    }

    /// <summary>
    /// The first moment, in UTC, at which the length is over; null for never. Months and years go by the calendar, and a day that the
    /// last month does not have becomes its last one: 31 January and a month is 28 or 29 February. What would lie beyond the year 9999 is
    /// never.
    /// </summary>
    public DateTimeOffset? End(DateTimeOffset start)
    {
        DateTimeOffset utc = start.ToUniversalTime();
        return Unit switch
        {
            RetentionUnit.Hours => After(utc, TimeSpan.FromHours(Number)),
            RetentionUnit.Days => After(utc, TimeSpan.FromDays(Number)),
            RetentionUnit.Weeks => After(utc, TimeSpan.FromDays(7 * Number)),
            RetentionUnit.Months => AfterMonths(utc, Number),
            RetentionUnit.Years => AfterMonths(utc, 12 * Number),
            _ => null,
        };
    }

    /// <summary>As it is written in a config; <see cref="TryParse"/> reads it back.</summary>
    public override string ToString()
    {
        string unit = Unit switch
        {
            RetentionUnit.Hours => "h",
            RetentionUnit.Days => "d",
            RetentionUnit.Weeks => "w",
            RetentionUnit.Months => "mo",
            RetentionUnit.Years => "y",
            _ => ForeverWord,
        };
        return Unit == RetentionUnit.Forever ? unit : string.Create(CultureInfo.InvariantCulture, $"{Number}{unit}");
    }

    private static DateTimeOffset? After(DateTimeOffset start, TimeSpan length) =>
        length <= DateTimeOffset.MaxValue - start ? start + length : null;

    private static DateTimeOffset? AfterMonths(DateTimeOffset start, int months) =>
        (12 * start.Year) + start.Month - 1 + months < 12 * (DateTimeOffset.MaxValue.Year + 1) ? start.AddMonths(months) : null;

    [GeneratedRegex(@"^([1-9][0-9]{0,4}) *(h|d|w|mo|y)\z")]
    private static partial Regex Pattern();
}
