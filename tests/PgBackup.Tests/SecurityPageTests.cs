using System.Text.RegularExpressions;

namespace PgBackup.Tests;

/// <summary>docs/security.md names a test for what it promises; each must be there, under its class.</summary>
public sealed partial class SecurityPageTests
{
    [Fact]
    public void Every_test_that_the_page_on_security_names_exists()
    {
        (string Class, string Test)[] named =
        [
            .. TestName()
                .Matches(File.ReadAllText(Path.Combine(Repository, "docs", "security.md")))
                .Select(static m => (m.Groups[1].Value, m.Groups[2].Value)),
        ];
        Dictionary<string, string> sources = Directory
            .EnumerateFiles(Path.Combine(Repository, "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(static f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal))
            .GroupBy(static f => Path.GetFileNameWithoutExtension(f), StringComparer.Ordinal)
            .ToDictionary(static g => g.Key, static g => string.Concat(g.Select(File.ReadAllText)), StringComparer.Ordinal);

        named.Length.ShouldBeGreaterThan(15);
        named
            .Where(n => !sources.TryGetValue(n.Class, out string? source) || !Regex.IsMatch(source, $@" {Regex.Escape(n.Test)}\("))
            .ShouldBeEmpty();
    }

    [GeneratedRegex(@"`(\w+)\.(\w+)`")]
    private static partial Regex TestName();
}
