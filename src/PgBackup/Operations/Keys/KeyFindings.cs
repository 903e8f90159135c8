using System.Globalization;
using PgBackup.Encryption;

namespace PgBackup.Operations.Keys;

/// <summary>What may keep the recipients of snapshots from being able to decrypt them one day: at most one finding of each kind.
/// Pure.</summary>
public static class KeyFindings
{
    /// <summary>How long before a key expires it is said.</summary>
    public static readonly TimeSpan ExpiryNotice = TimeSpan.FromDays(60);

    /// <summary>How long a test of a key counts. After twice as long, that it was not tested is an error.</summary>
    public static readonly TimeSpan TestLife = TimeSpan.FromDays(90);

    private const int LongestName = 70;

    /// <summary>Of recipients alone: there is but one; a key expires within 60 days, or has. Nothing where nobody is a recipient.</summary>
    public static IReadOnlyList<Finding> Of(IReadOnlyList<Recipient> recipients, DateTimeOffset now)
    {
        List<Finding> findings = [];
        if (recipients.Select(static r => AgeKeys.WithoutComment(r.Fingerprint)).Distinct(StringComparer.Ordinal).Count() == 1)
        {
            findings.Add(OneKey("", recipients[0]));
        }

        List<string> expiring =
        [
            .. recipients
                .Where(r => r.Expires is { } at && at - now < ExpiryNotice)
                .OrderBy(static r => r.Expires)
                .Select(r => Expiry(r, now)),
        ];
        if (expiring.Count > 0)
        {
            string whose = expiring.Count == 1 ? "its owner extend it" : "their owners extend them";
            findings.Add(
                Finding.Warning(
                    ErrorCode.KeyExpiring,
                    string.Join(", ", recipients.Where(r => r.Expires is { } at && at - now < ExpiryNotice).Select(Name)),
                    string.Join("; ", expiring),
                    "what is encrypted to an expired key can still be decrypted, but new snapshots cannot be made",
                    $"Have {whose} (gpg --quick-set-expire FINGERPRINT 2y, and the same with '*' behind it for the subkeys), and import "
                        + "the public key again"
                )
            );
        }

        return findings;
    }

    /// <summary>The same, and which of the keys were not tested for 90 days, or never.</summary>
    /// <param name="recipients">Who can decrypt.</param>
    /// <param name="lastTest">When the key of a fingerprint last decrypted something; null for never.</param>
    /// <param name="knownSince">Since when they can decrypt: a key that was never tested is overdue from then on; null where that is not
    /// known.</param>
    /// <param name="now">The moment.</param>
    public static IReadOnlyList<Finding> Of(
        IReadOnlyList<Recipient> recipients,
        Func<string, DateTimeOffset?> lastTest,
        DateTimeOffset? knownSince,
        DateTimeOffset now
    )
    {
        List<Recipient> untested = [.. recipients.Where(r => lastTest(r.Fingerprint) is not { } last || now - last > TestLife)];
        IReadOnlyList<Finding> findings = Of(recipients, now);
        if (untested.Count == 0)
        {
            return findings;
        }

        DateTimeOffset longest = untested.Min(r => lastTest(r.Fingerprint) ?? knownSince ?? now);
        return [.. findings, Untested(untested, lastTest, now - longest > 2 * TestLife ? Severity.Error : Severity.Warning)];
    }

    private static Finding Untested(List<Recipient> untested, Func<string, DateTimeOffset?> lastTest, Severity severity)
    {
        string whose = string.Join(", ", untested.Select(Name));
        string what = string.Create(CultureInfo.InvariantCulture, $"private keys not tested in the last {TestLife.TotalDays:0} days");
        string why = string.Join(
            ", ",
            untested.Select(r => $"{Name(r)} ({(lastTest(r.Fingerprint) is { } last ? $"last on {Day(last)}" : "never")})")
        );
        const string Fix = "Run `olympus-pgbackup keys test --identity FILE` where each key is";
        return severity == Severity.Error
            ? Finding.Error(ErrorCode.KeyUntested, whose, what, why, Fix)
            : Finding.Warning(ErrorCode.KeyUntested, whose, what, why, Fix);
    }

    /// <summary>That there is but one key.</summary>
    internal static Finding OneKey(string what, Recipient recipient) =>
        Finding.Warning(
            ErrorCode.OneRecipient,
            Name(recipient),
            $"{what}encrypted to one key alone, that of {Name(recipient)}",
            "when it is lost, so are the backups",
            "Add a second recipient, whose private key is kept elsewhere"
        );

    /// <summary>That snapshots need keys that are no longer in the config.</summary>
    internal static Finding Retired(IReadOnlyList<string> snapshots)
    {
        string are =
            snapshots.Count == 1
                ? $"the snapshot {snapshots[0]} is"
                : string.Create(CultureInfo.InvariantCulture, $"{snapshots.Count} snapshots, the newest {snapshots[^1]}, are");
        return Finding.Note(
            ErrorCode.RetiredKeyNeeded,
            snapshots[^1],
            $"{are} encrypted to no key of the config",
            fix: $"Keep the private keys of the earlier recipients, until {(snapshots.Count == 1 ? "it is" : "they are")} removed "
                + "(`olympus-pgbackup list` says when)"
        );
    }

    /// <summary>A recipient in a line, by the name in the config; long ones (of SSH) shortened.</summary>
    public static string Name(Recipient recipient) => Short(recipient.Name);

    /// <summary>A fingerprint that fits into a line.</summary>
    public static string Short(string key)
    {
        string body = AgeKeys.WithoutComment(key);
        return body.Length <= LongestName ? body : $"{body[..24]}...{body[^12..]}";
    }

    private static string Expiry(Recipient recipient, DateTimeOffset now)
    {
        DateTimeOffset at = recipient.Expires!.Value;
        string key = recipient.Name == recipient.Fingerprint ? recipient.Name : $"{recipient.Fingerprint} ({recipient.Name})";
        return at <= now
            ? $"the key {key} expired on {Day(at)}"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"the key {key} expires on {Day(at)}, in {Math.Floor((at - now).TotalDays):0} days"
            );
    }

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
