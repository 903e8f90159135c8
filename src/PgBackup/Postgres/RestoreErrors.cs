using System.Globalization;
using PgBackup.Tools;

namespace PgBackup.Postgres;

/// <summary>
/// What pg_restore said on stderr, judged. Errors are errors, with one exception: a comment on an extension that an administrator made
/// beforehand may only be set by its owner, and is there already.
/// </summary>
internal sealed class RestoreErrors
{
    private const string Error = "pg_restore: error: ";
    private const string Ignored = "pg_restore: warning: errors ignored on restore: ";
    private const string Command = "Command was: ";
    private const int Shown = 12;

    // A word of the server's, and what to do about it.
    private static readonly (string Word, string Advice)[] Advices =
    [
        ("must be able to SET ROLE", Powerless),
        ("must be superuser", Powerless),
        ("Must be superuser", Powerless),
        ("must be owner of", Powerless),
        ("permission denied", Powerless),
        ("must be member of role", Powerless),
        ("Only roles with privileges of", Powerless),
        (
            "is not available",
            "Install the extension where the target's server runs (its package, or an image that has it), then restore again."
        ),
        (
            "permission denied for schema",
            "If the role that restores is not a superuser, it and every new owner need CREATE on the schema: let its owner GRANT "
                + "CREATE ON SCHEMA the_schema TO each of them."
        ),
        (
            "violates check constraint",
            "A check that looks into other tables finds them empty while rows are loaded, so no dump of it can be restored. At the "
                + "source: ALTER TABLE ... DROP CONSTRAINT, and ADD it again NOT VALID, or write a trigger instead. "
                + "For this snapshot, by hand: pg_restore with --section=pre-data, drop the constraint, --section=data, "
                + "--section=post-data, and add the constraint NOT VALID."
        ),
        (
            NoFunction,
            "If the dump has this function, another one calls it without its schema, and a restore looks in no schema by itself. At "
                + "the source: ALTER FUNCTION caller(...) SET search_path = public, pg_catalog. "
                + "For this snapshot, by hand: pg_restore with --section=pre-data, that ALTER FUNCTION, then --section=data and "
                + "--section=post-data."
        ),
        ("does not exist", "What is missing has to be there first: roles by --globals, anything else was refused above it."),
        ("No space left on device", "Make room on the target's disk, then restore again."),
        ("max_locks_per_transaction", LockTable.Remedy),
    ];

    private const string NoFunction = "function ";

    private const string Powerless =
        "The role that restores may not do this. Restore as a superuser. On a managed service without one, let an "
        + "administrator make these things. What is not listed was restored.";

    /// <summary>Why the restore failed, a line each; empty when it did not.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>What need not be an error.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Judges; the lines are the last ones that pg_restore wrote.</summary>
    public static RestoreErrors Read(int exitCode, IReadOnlyList<string> lines)
    {
        List<(string Message, string Statement)> errors = [];
        int? counted = null;
        foreach (string line in lines)
        {
            if (line.StartsWith(Error, StringComparison.Ordinal))
            {
                errors.Add((line, ""));
            }
            else if (
                line.StartsWith(Ignored, StringComparison.Ordinal)
                && int.TryParse(line[Ignored.Length..], CultureInfo.InvariantCulture, out int count)
            )
            {
                counted = count;
            }
            else if (line.StartsWith(Command, StringComparison.Ordinal) && errors is [.., (_, "")])
            {
                errors[^1] = errors[^1] with { Statement = line[Command.Length..] };
            }
        }

        if (exitCode == 0 && errors.Count == 0)
        {
            return new RestoreErrors { Problems = [], Notes = [] };
        }

        List<(string Message, string Statement)> harmless =
        [
            .. errors.Where(static e =>
                e.Message.Contains("must be owner of extension", StringComparison.Ordinal)
                && e.Statement.StartsWith("COMMENT ON EXTENSION ", StringComparison.Ordinal)
            ),
        ];
        IReadOnlyList<string> notes =
        [
            .. harmless.Select(static e => $"{Short(e.Statement)}: not carried out, since the extension was made by another role."),
        ];
        if (exitCode == 1 && counted == harmless.Count && errors.Count == harmless.Count)
        {
            return new RestoreErrors { Problems = [], Notes = notes };
        }

        List<(string Message, string Statement)> real = [.. errors.Except(harmless)];
        int all = Math.Max(real.Count, (counted ?? 0) - harmless.Count);
        List<string> problems =
        [
            $"pg_restore failed with exit code {exitCode} and {all} "
                + $"{Words.Noun(all, "error")}{(all > Shown ? $"; {Math.Min(Shown, real.Count)} of them" : "")}:",
        ];
        problems.AddRange(
            real.Count == 0 && counted is null
                ? Quotation.Lines(lines, 6)
                : real.Take(Shown)
                    .Select(static e => Quotation.Line(e.Message) + (e.Statement.Length == 0 ? "" : $" (in: {Short(e.Statement)})"))
        );
        problems.AddRange(
            Advices.Where(a => real.Exists(e => Fits(a.Word, e.Message))).Select(static a => "what to do: " + a.Advice).Distinct()
        );
        return new RestoreErrors { Problems = problems, Notes = notes };
    }

    // Of functions, only that there is none; and what is said of functions is not said of everything else that is missing.
    private static bool Fits(string word, string message)
    {
        const string Missing = "does not exist";
        bool function = message.Contains(NoFunction, StringComparison.Ordinal) && message.Contains(Missing, StringComparison.Ordinal);
        return word switch
        {
            NoFunction => function,
            Missing => !function && message.Contains(Missing, StringComparison.Ordinal),
            _ => message.Contains(word, StringComparison.Ordinal),
        };
    }

    private static string Short(string statement) => Quotation.Line(statement, 120);
}
