using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PgBackup.Encryption;

namespace PgBackup.Tests.House;

/// <summary>
/// The tables of the documents that are made from the code: of errors from <see cref="ErrorCode"/>, of keys from the readers of the config.
/// <c>ACCEPT_EXPECTED=1</c> writes them anew.
/// </summary>
public sealed partial class GeneratedTablesTests
{
    // From here on, codes name findings, which end nothing by themselves.
    private const int FirstFinding = 120;

    // The methods of YamlSection that read a key, and what its value is then. The more that is known of it, the later.
    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        ["Has"] = "text or mapping",
        ["Text"] = "text",
        ["RequiredText"] = "text, required",
        ["Number"] = "number",
        ["Price"] = "number",
        ["Span"] = "length of time",
        ["Flag"] = "yes or no",
        ["Texts"] = "list of text",
        ["Items"] = "list",
        ["Section"] = "mapping",
    };

    [Fact]
    public void The_table_of_errors_has_every_code() =>
        ShouldHave("docs/errors.md", "codes", ["| code | exit | meaning |", "|---|---|---|", .. Codes()]);

    [Fact]
    public void The_index_of_keys_has_every_key_that_is_read() =>
        ShouldHave(
            "docs/configuration.md",
            "keys",
            ["| key | in | type |", "|---|---|---|", .. Keys().Select(static k => $"| `{k.Key}` | {k.Where} | {k.Type} |")]
        );

    [Fact]
    public void Every_key_that_is_read_is_explained_and_every_key_that_is_explained_is_read()
    {
        HashSet<string> written =
        [
            .. SourceTree
                .Source.Where(static s =>
                    s.File.StartsWith("src/PgBackup/Configuration/", StringComparison.Ordinal)
                    || s.File.StartsWith("src/PgBackup/Retention/", StringComparison.Ordinal)
                )
                .SelectMany(static s => s.Root.DescendantNodes().OfType<LiteralExpressionSyntax>())
                .Select(static l => l.Token.ValueText),
            .. Enum.GetValues<EncryptionKind>().Select(static k => k.Word()),
        ];
        string text = File.ReadAllText(Path.Combine(TestRun.Repository, "docs/configuration.md")).Split("## All keys")[0];
        HashSet<string> explained =
        [
            .. KeyRow()
                .Matches(text)
                .SelectMany(static row => KeyName().Matches(row.Value))
                .Select(static name => name.Groups[1].Value.Split('.')[^1]),
        ];

        // These are headings there, and no rows of a table.
        string[] headings =
        [
            "cluster",
            "databases",
            "drill",
            "dump",
            "encryption",
            "losses",
            "max_age",
            "metrics",
            "neon",
            "notify",
            "records",
            "schedule",
            "serve",
            "source",
            "stores",
        ];
        Keys().Select(static k => k.Key).Distinct().Except(explained).Except(headings).ShouldBeEmpty();
        // A secret can be in a file: KEY_file.
        explained.Except(written).Except(written.Select(static w => w + "_file")).ShouldBeEmpty();
    }

    private static IEnumerable<string> Codes()
    {
        Dictionary<string, string> meanings = SourceTree
            .Source.Single(static s => s.File.EndsWith("/ErrorCode.cs", StringComparison.Ordinal))
            .Root.DescendantNodes()
            .OfType<EnumMemberDeclarationSyntax>()
            .ToDictionary(static m => m.Identifier.Text, static m => Meaning(m.GetLeadingTrivia().ToFullString()), StringComparer.Ordinal);
        foreach (ErrorCode code in Enum.GetValues<ErrorCode>())
        {
            string text = PgBackupException.CodeTextOf(code);
            string anchor = string.Create(CultureInfo.InvariantCulture, $"#{text}-{code}").ToLowerInvariant();
            int exit = new PgBackupException(code, "x").ExitCode;
            string ends = (int)code >= FirstFinding ? "finding" : exit.ToString(CultureInfo.InvariantCulture);
            yield return $"| [{text}]({anchor}) {code} | {ends} | {meanings[code.ToString()]} |";
        }
    }

    private static string Meaning(string comment) =>
        Regex.Replace(Regex.Replace(comment, @"<c>(.*?)</c>", "`$1`"), @"\s*///\s?|<[^>]*>", " ").Trim() is var text
            ? Regex.Replace(text, @"\s+", " ")
            : "";

    private static IEnumerable<(string Key, string Where, string Type)> Keys() =>
        from source in SourceTree.Source
        where source.File.StartsWith("src/PgBackup/Configuration/", StringComparison.Ordinal)
        from call in source.Root.DescendantNodes().OfType<InvocationExpressionSyntax>()
        let member = call.Expression as MemberAccessExpressionSyntax
        where member is not null && Types.ContainsKey(member.Name.Identifier.Text)
        let key = (call.ArgumentList.Arguments.FirstOrDefault()?.Expression as LiteralExpressionSyntax)?.Token.ValueText
        where key is not null
        group member.Name.Identifier.Text by (Key: key, Where: Place(source.File, call)) into read
        orderby read.Key.Key, read.Key.Where
        select (read.Key.Key, read.Key.Where, Types[read.MaxBy(static m => Types.Keys.ToList().IndexOf(m))!]);

    // The reader's type says where a key stands; ConfigReader's methods do.
    private static string Place(string file, Microsoft.CodeAnalysis.SyntaxNode call) =>
        Path.GetFileName(file).Split('.')[0] switch
        {
            "ConfigReader" => call.Ancestors().OfType<MethodDeclarationSyntax>().First().Identifier.Text switch
            {
                "ReadSource" or "ReadTools" or "ReadUrl" => "`source`",
                "ReadDatabases" => "`databases`",
                "ReadDump" => "`dump`",
                "ReadRecords" => "`records`",
                "ReadMetrics" => "`metrics`",
                "ReadScratchUrl" => "`drill`: `scratch`",
                _ => "the file",
            },
            "EncryptionReader" => "`encryption`",
            "StoreReader" => "`stores`",
            "S3Reader" => "`stores`: `s3`",
            "DrillReader" => "`drill`",
            "LossReader" => "`losses`",
            "NeonReader" => "`neon`",
            "NotifyReader" => "`notify`",
            "ScheduleReader" => call.Ancestors().OfType<MethodDeclarationSyntax>().First().Identifier.Text switch
            {
                "Read" or "ReadZone" => "`schedule`",
                "ReadServe" => "`serve`",
                _ => "`schedule`: each job",
            },
            "ApplicationKeyReader" => "`drill`: `application_keys`",
            var other => throw new InvalidOperationException($"say here what {other} reads"),
        };

    private static void ShouldHave(string document, string name, IEnumerable<string> table)
    {
        string path = Path.Combine(TestRun.Repository, document);
        string text = File.ReadAllText(path);
        string begin = $"<!-- {name}: generated by {nameof(GeneratedTablesTests)} -->\n",
            end = $"<!-- end of {name} -->\n";
        int from = text.IndexOf(begin, StringComparison.Ordinal) + begin.Length,
            to = text.IndexOf(end, StringComparison.Ordinal);
        (from > begin.Length && to > from).ShouldBeTrue($"{document} has no place for the table");
        string wanted = string.Concat(table.Select(static line => line + "\n"));
        if (Environment.GetEnvironmentVariable("ACCEPT_EXPECTED") == "1")
        {
            File.WriteAllText(path, text[..from] + wanted + text[to..]);
            return;
        }

        text[from..to].ShouldBe(wanted, $"{document} has another table; ACCEPT_EXPECTED=1 writes it anew");
    }

    // The first cell of a row of a table of keys: its other cells are type, default and meaning.
    [GeneratedRegex(@"^\| (`[a-z0-9_.]+`(, )?)+ \|(?=[^|]*\|[^|]*\|)", RegexOptions.Multiline)]
    private static partial Regex KeyRow();

    [GeneratedRegex("`([a-z0-9_.]+)`")]
    private static partial Regex KeyName();
}
