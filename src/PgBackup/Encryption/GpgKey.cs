using System.Globalization;

namespace PgBackup.Encryption;

/// <summary>A public key as <c>gpg --with-colons --list-keys</c> prints it (GnuPG's doc/DETAILS): <c>pub</c>, its <c>fpr</c>, its
/// <c>sub</c>s.</summary>
internal sealed record GpgKey
{
    private readonly List<(string Validity, string Capabilities, DateTimeOffset? Expires)> parts = [];

    /// <summary>The full fingerprint of the primary key.</summary>
    public string Fingerprint { get; private set; } = "";

    /// <summary>Field 2 of the primary key: <c>e</c> for expired, <c>r</c> for revoked, <c>i</c> for invalid, and others.</summary>
    public string Validity => parts[0].Validity;

    /// <summary>Somebody disabled it in this keyring (a <c>D</c> among the capabilities; old versions: validity <c>d</c>).</summary>
    public bool IsDisabled => Validity == "d" || parts[0].Capabilities.Contains('D', StringComparison.Ordinal);

    /// <summary>gpg would encrypt to it.</summary>
    public bool IsUsable => !IsDisabled && IsGood(Validity) && parts[0].Capabilities.Contains('E', StringComparison.Ordinal);

    /// <summary>When the primary key expires; null for never.</summary>
    public DateTimeOffset? PrimaryExpires => parts[0].Expires;

    /// <summary>
    /// Until when gpg can encrypt to it: to the end of the last of its parts that encrypt, or of the primary key, if that is earlier; null
    /// for ever.
    /// </summary>
    public DateTimeOffset? Expires
    {
        get
        {
            List<DateTimeOffset?> ends =
            [
                .. parts
                    .Where(static p => IsGood(p.Validity) && p.Capabilities.Contains('e', StringComparison.Ordinal))
                    .Select(static p => p.Expires),
            ];
            DateTimeOffset? last = ends.Contains(null) ? null : ends.Max();
            return PrimaryExpires is { } primary && (last is null || primary < last) ? primary : last;
        }
    }

    /// <summary>All keys of a listing.</summary>
    public static IReadOnlyList<GpgKey> Read(string listing)
    {
        List<GpgKey> keys = [];
        foreach (string[] fields in listing.Split('\n').Select(static line => line.Split(':')))
        {
            if (fields[0] is "pub" or "sub" && fields.Length > 11)
            {
                if (fields[0] == "pub")
                {
                    keys.Add(new GpgKey());
                }

                DateTimeOffset? expires = long.TryParse(fields[6], CultureInfo.InvariantCulture, out long seconds)
                    ? DateTimeOffset.FromUnixTimeSeconds(seconds)
                    : null;
                keys.LastOrDefault()?.parts.Add((fields[1], fields[11], expires));
            }
            else if (fields[0] == "fpr" && fields.Length > 9 && keys.LastOrDefault() is { Fingerprint: "" } key)
            {
                key.Fingerprint = fields[9];
            }
        }

        return keys;
    }

    private static bool IsGood(string validity) => validity is not ("e" or "r" or "d" or "i");
}
