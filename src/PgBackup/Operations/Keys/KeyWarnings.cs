using System.Globalization;
using PgBackup.Encryption;

namespace PgBackup.Operations.Keys;

/// <summary>What may keep the recipients of snapshots from being able to decrypt them one day: at most a sentence for each kind. Pure.</summary>
public static class KeyWarnings
{
    /// <summary>How long before a key expires it is said.</summary>
    public static readonly TimeSpan ExpiryNotice = TimeSpan.FromDays(60);

    /// <summary>How long a test of a key counts.</summary>
    public static readonly TimeSpan TestLife = TimeSpan.FromDays(90);

    private const int LongestName = 70;

    /// <summary>Of recipients alone: there is but one; a key expires within 60 days, or has. Nothing where nobody is a recipient.</summary>
    public static IReadOnlyList<string> Of(IReadOnlyList<Recipient> recipients, DateTimeOffset now)
    {
        List<string> warnings = [];
        if (recipients.Select(static r => AgeKeys.WithoutComment(r.Fingerprint)).Distinct(StringComparer.Ordinal).Count() == 1)
        {
            warnings.Add(OneKey("", recipients[0]));
        }

        List<string> expiring = [.. recipients.Where(r => r.Expires is { } at && at - now < ExpiryNotice).OrderBy(static r => r.Expires).Select(r => Expiry(r, now))];
        if (expiring.Count > 0)
        {
            warnings.Add($"{string.Join("; ", expiring)}: what is encrypted to an expired key can still be decrypted, but new snapshots cannot be made; have {(expiring.Count == 1 ? "its owner extend it" : "their owners extend them")} (gpg --quick-set-expire FINGERPRINT 2y, and the same with '*' behind it for the subkeys), and import the public key again");
        }

        return warnings;
    }

    /// <summary>The same, and which of the keys were not tested for 90 days, or never.</summary>
    /// <param name="recipients">Who can decrypt.</param>
    /// <param name="lastTest">When the key of a fingerprint last decrypted something; null for never.</param>
    /// <param name="now">The moment.</param>
    public static IReadOnlyList<string> Of(IReadOnlyList<Recipient> recipients, Func<string, DateTimeOffset?> lastTest, DateTimeOffset now)
    {
        List<string> untested = [];
        foreach (Recipient recipient in recipients)
        {
            DateTimeOffset? last = lastTest(recipient.Fingerprint);
            if (last is null || now - last > TestLife)
            {
                untested.Add($"{Name(recipient)} ({(last is { } at ? $"last on {Day(at)}" : "never")})");
            }
        }

        IReadOnlyList<string> warnings = Of(recipients, now);
        return untested.Count == 0 ? warnings : [.. warnings, string.Create(
            CultureInfo.InvariantCulture,
            $"not tested in the last {TestLife.TotalDays:0} days: the private key of {string.Join(", of ", untested)}; `olympus-pgbackup keys test`, where that key is, shows that it is still there")];
    }

    /// <summary>That there is but one key.</summary>
    internal static string OneKey(string what, Recipient recipient) =>
        $"{what}encrypted to one key alone, that of {Name(recipient)}: when it is lost, so are the backups; add a second recipient, whose private key is kept elsewhere";

    /// <summary>That snapshots need keys that are no longer in the config.</summary>
    internal static string Retired(IReadOnlyList<string> snapshots) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(snapshots.Count == 1 ? $"the snapshot {snapshots[0]} is" : $"{snapshots.Count} snapshots, the newest {snapshots[^1]}, are")} encrypted to no key of the config: keep the private keys of the recipients before, until {(snapshots.Count == 1 ? "it is" : "they are")} removed (`olympus-pgbackup list` says when)");

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
        return at <= now ? $"the key {key} expired on {Day(at)}" : string.Create(CultureInfo.InvariantCulture, $"the key {key} expires on {Day(at)}, in {Math.Floor((at - now).TotalDays):0} days");
    }

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
