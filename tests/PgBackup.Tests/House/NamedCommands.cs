using System.CommandLine;
using System.Text.RegularExpressions;

namespace PgBackup.Tests.House;

/// <summary>
/// Finds what a text tells its reader to type (<c>`olympus-pgbackup check --repair`</c>, <c>`prune --dry-run`</c>, <c>leave out
/// --jobs</c>) and which of it the program does not have.
/// </summary>
/// <remarks>
/// An option belongs to the verb or the program that is named before it in the same sentence, parenthesis, line or pair of backticks. One
/// with nothing before it is ours: some verb must have it. What stands in backticks is typed, so it begins with a verb, with a program
/// that is known here, or is the name of a snapshot. So does a line that begins with our name.
/// </remarks>
internal sealed partial class NamedCommands(RootCommand root, bool isAboutOthers)
{
    private const string Program = "olympus-pgbackup";

    // The programs of others that our texts name. ‹program› is a value that is one of them at run time.
    private static readonly HashSet<string> Others = new(StringComparer.OrdinalIgnoreCase)
    {
        "age",
        "age-keygen",
        "apt-get",
        "aws",
        "complete",
        "createdb",
        "curl",
        "date",
        "df",
        "dmesg",
        "gpg",
        "gpg-agent",
        "grep",
        "initdb",
        "jq",
        "mkdir",
        "pg_dump",
        "pg_dumpall",
        "pg_restore",
        "podman",
        "ps",
        "psql",
        "rclone",
        "set",
        "timedatectl",
        "ulimit",
        "‹engine›",
        "‹program›",
        "‹EngineProgram›",
    };

    private static readonly HashSet<string> Snapshots = new(StringComparer.Ordinal) { "latest", "live", "previous" };

    /// <summary>What a text names, and there is not.</summary>
    public IReadOnlyList<string> Missing(string text)
    {
        string[] lines = text.Split('\n');
        return
        [
            .. from line in lines
            from typed in Ticked().Matches(line)
            from command in typed.Groups[1].Value.Split(" | ")
            from missing in MissingIn(command, isCommand: true)
            select missing,
            .. from line in lines
            from sentence in EndOfSentence().Split(Ticked().Replace(line, "‹›")).Index()
            from missing in MissingIn(sentence.Item, sentence.Index == 0 && lines.Length > 1 && BeginsWithUs().IsMatch(line))
            select missing,
        ];
    }

    /// <summary>Whether an option is one of a command or of those below it.</summary>
    public static bool Has(Command command, string option) => HasItself(command, option) || command.Subcommands.Any(c => Has(c, option));

    private static bool HasItself(Command command, string option) =>
        command.Options.Any(o => o.Name == option || o.Aliases.Contains(option))
        || command.Parents.OfType<Command>().Any(p => p.Options.Any(o => o.Recursive && (o.Name == option || o.Aliases.Contains(option))));

    private List<string> MissingIn(string sentence, bool isCommand)
    {
        List<string> missing = [];
        Command? ours = null;
        bool isOthers = false;
        // The verb, or our name, that the word before was.
        Command? named = null;
        foreach ((int index, Match token) in Token().Matches(sentence).Index())
        {
            if (token.Groups["option"].Success)
            {
                ours ??= isOthers ? null : named;
                named = null;
                if (!IsThere(ours, isOthers, token.Value))
                {
                    missing.Add(ours is null ? token.Value : $"{PathOf(ours)} {token.Value}");
                }

                continue;
            }

            string word = Ending().Replace(token.Groups["word"].Value, "");
            Command parent = named ?? ours ?? root;
            Command? next = word == Program ? root : parent.Subcommands.FirstOrDefault(c => c.Name == word);
            if (Others.Contains(word))
            {
                (ours, isOthers) = (null, true);
            }
            else if (next is not null && ((isCommand && index == 0) || (next != root && (ours == parent || named == root))))
            {
                (ours, isOthers) = (next, false);
            }
            else if (next is null && isCommand && LowerCase().IsMatch(token.Groups["word"].Value) && MustBeVerb(index, named, token))
            {
                missing.Add(ours is null ? word : $"{PathOf(ours)} {word}");
            }

            named = next;
        }

        return missing;
    }

    // The first word of a command, and the one after a verb that does nothing without another; explanations stand further off.
    private static bool MustBeVerb(int index, Command? named, Match token) =>
        index == 0
            ? !Snapshots.Contains(token.Value)
            : named is { Arguments.Count: 0, Subcommands.Count: > 0 } && token.Groups["gap"].Length == 1;

    private bool IsThere(Command? ours, bool isOthers, string option)
    {
        if (ours is not null)
        {
            return HasItself(ours, option);
        }

        bool isLong = option.StartsWith("--", StringComparison.Ordinal);
        return isOthers || isAboutOthers || !isLong || Has(root, option);
    }

    private string PathOf(Command command) =>
        command == root ? Program : $"{PathOf(command.Parents.OfType<Command>().First())} {command.Name}";

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Ticked();

    [GeneratedRegex(@"^\s*(\w+=\S+ )*olympus-pgbackup\b")]
    private static partial Regex BeginsWithUs();

    [GeneratedRegex(@"[.;!?](?=\s|$)|[()|]")]
    private static partial Regex EndOfSentence();

    [GeneratedRegex("^[a-z][a-z-]+$")]
    private static partial Regex LowerCase();

    // A word's punctuation, and the possessive.
    [GeneratedRegex("('s)?[,:\"']*$")]
    private static partial Regex Ending();

    // --option, -o; ‹value›; programs, verbs and all other words.
    [GeneratedRegex(@"(?<option>(?<![\w-])(--[a-z][a-z-]*|-[a-zA-Z](?![\w-])))|(?<gap> *)(?<word>‹\w*›|[^\s‹›""'-][^\s‹›]*)")]
    private static partial Regex Token();
}
