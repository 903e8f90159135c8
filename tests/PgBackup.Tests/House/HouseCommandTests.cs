using System.CommandLine;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PgBackup.App;

namespace PgBackup.Tests.House;

/// <summary>
/// What messages, remedies and reports tell people to type, held against the verbs and options that there are.
/// docs/decisions/2026-11-27-remedies-name-commands.md says why the engine may name them.
/// </summary>
public sealed partial class HouseCommandTests
{
    private static readonly RootCommand Root = CommandLine.Build(new GlobalOptions(TimeProvider.System), TimeProvider.System);

    [Fact]
    public void Every_command_that_a_text_names_is_there()
    {
        IEnumerable<string> missing =
            from text in SourceText.All
            // A text of one word, and one that begins as an argument, is for a tool.
            where text.Text.Any(char.IsWhiteSpace) && !Argument().IsMatch(text.Text)
            from name in new NamedCommands(Root, isAboutOthers: IsAboutOthers(text.File)).Missing(text.Text)
            select $"{text.Place} names {name}";
        missing.ShouldBeEmpty();
    }

    // The dialogue writes the command line of what it did, and the demo runs verbs.
    [Fact]
    public void Every_option_that_the_app_writes_by_itself_is_there()
    {
        IEnumerable<string> missing =
            from source in SourceTree.Source
            where source.File.StartsWith("src/PgBackup.App/", StringComparison.Ordinal)
            from literal in source.Root.DescendantNodes().OfType<LiteralExpressionSyntax>()
            where literal.IsKind(SyntaxKind.StringLiteralExpression) && Option().IsMatch(literal.Token.ValueText)
            where !literal.Ancestors().OfType<ObjectCreationExpressionSyntax>().Any(static c => c.Type.ToString() == "ToolCommand")
            where !NamedCommands.Has(Root, literal.Token.ValueText)
            select $"{SourceTree.Place(source.File, literal)} names {literal.Token.ValueText}";
        missing.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("`olympus-pgbackup check --read-data --mend` copies a good one.", "olympus-pgbackup check --mend")]
    [InlineData("`olympus-pgbackup list --repair` shows them.", "olympus-pgbackup list --repair")]
    [InlineData("`olympus-pgbackup scan` shows them.", "olympus-pgbackup scan")]
    [InlineData("`olympus-pgbackup keys tset` where each key is.", "olympus-pgbackup keys tset")]
    [InlineData("Or `scan --all` where it can tell.", "scan")]
    [InlineData("The next run or `scan` removes them.", "scan")]
    [InlineData("`prune --dry` shows it.", "olympus-pgbackup prune --dry")]
    [InlineData("Write --database DB --under NAME.", "--under")]
    [InlineData("Name a file (gpg --export FINGERPRINT > FILE), and its passphrase by --pass FILE.", "--pass")]
    [InlineData("Out of reach, check --image postgres:17 decodes.", "olympus-pgbackup check --image")]
    [InlineData(
        "olympus-pgbackup keys\nolympus-pgbackup restore latest --into podman:x -z key.txt",
        "olympus-pgbackup restore --into",
        "olympus-pgbackup restore -z"
    )]
    public void A_command_that_is_not_there_is_found(string text, params string[] missing) =>
        new NamedCommands(Root, isAboutOthers: false).Missing(text).ShouldBe(missing);

    [Theory]
    [InlineData("`olympus-pgbackup --config FILE keys test --identity FILE` tells; `latest` is a name, `rclone listremotes` foreign.")]
    [InlineData("By hand: pg_restore with --section=pre-data, drop the constraint, --section=data.")]
    [InlineData("Run olympus-pgbackup as root, or leave out --jobs; `‹program› ps --all` lists containers.")]
    [InlineData("olympus-pgbackup keys test    with the config's identity\nPGPASSWORD=... olympus-pgbackup restore -t URL | jq --raw x")]
    public void A_command_that_is_there_or_of_others_is_let_be(string text) =>
        new NamedCommands(Root, isAboutOthers: false).Missing(text).ShouldBeEmpty();

    // RESTORE.md is for whoever has the stock tools alone.
    private static bool IsAboutOthers(string file) => file == "src/PgBackup/Snapshots/RestoreGuide.cs";

    [GeneratedRegex("^--[a-z-]+=")]
    private static partial Regex Argument();

    [GeneratedRegex("^--[a-z][a-z-]*$")]
    private static partial Regex Option();
}
