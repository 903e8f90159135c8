namespace PgBackup.Tests;

/// <summary>Findings as tests compare them.</summary>
internal static class FindingTexts
{
    /// <summary>What each says, without its code.</summary>
    public static IReadOnlyList<string> Texts(this IEnumerable<Finding> findings) => [.. findings.Select(static f => f.Text)];

    /// <summary>What each says, with its code.</summary>
    public static IReadOnlyList<string> Lines(this IEnumerable<Finding> findings) => [.. findings.Select(static f => f.Line)];
}
