namespace PgBackup.Records;

/// <summary>
/// What a record has room for, and may hold. Losses that a person confirmed are never cut. Of a finding stays the first line: after it,
/// messages quote what tools and servers said, which may have values of rows in it.
/// </summary>
internal static class RecordCaps
{
    /// <summary>The most findings.</summary>
    public const int MostFindings = 100;

    /// <summary>The longest text, in characters.</summary>
    public const int LongestText = 1000;

    /// <summary>The record with its gravest findings alone, and with short texts; as many findings as its bytes have room for.</summary>
    /// <param name="record">The record.</param>
    /// <param name="mostBytes">The most bytes of its JSON.</param>
    public static Record Apply(Record record, int mostBytes)
    {
        Finding[] findings = [.. record.Findings.OrderByDescending(static f => f.Severity).Select(Apply)];
        Record With(int count) =>
            record with
            {
                User = Short(record.User),
                Host = Short(record.Host),
                Summary = Short(record.Summary)!,
                Note = Short(record.Note),
                Findings = findings[..count],
                FindingsOmitted = record.FindingsOmitted + findings.Length - count,
            };
        int kept = Math.Min(MostFindings, findings.Length);
        while (kept > 0 && With(kept).ToJson().Length > mostBytes)
        {
            kept /= 2; // foreign letters have six bytes each in JSON
        }

        return With(kept);
    }

    /// <summary>The finding with short texts, and without what it quotes.</summary>
    public static Finding Apply(Finding finding) =>
        finding with
        {
            Subject = Short(finding.Subject)!,
            What = Short(Unquoted(finding.What))!,
            Why = Short(Unquoted(finding.Why)),
            Fix = Short(Unquoted(finding.Fix)),
        };

    // Postgres has values of rows in the detail of an error.
    private static string? Unquoted(string? text) =>
        text is null ? null
        : text.AsSpan().IndexOfAny('\n', '\r') is var end and >= 0 ? Unquoted(text[..end].TrimEnd(':', ' '))
        : text.IndexOf("DETAIL:", StringComparison.Ordinal) is var detail and >= 0 ? text[..detail].TrimEnd()
        : text;

    private static string? Short(string? text) =>
        text is null || text.Length <= LongestText ? text
        : char.IsHighSurrogate(text[LongestText - 4]) ? $"{text[..(LongestText - 4)]}..."
        : $"{text[..(LongestText - 3)]}...";
}
