using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Postgres;
using PgBackup.Tools;

namespace PgBackup.Archives;

/// <summary>One entry of an archive's table of contents.</summary>
internal sealed record ArchiveEntry
{
    /// <summary>Its number in the archive (<c>pg_restore --list</c>).</summary>
    public required int Id { get; init; }

    /// <summary>What it is: <c>TABLE</c>, <c>TABLE DATA</c>, <c>FK CONSTRAINT</c> ...</summary>
    public string Type { get; init; } = "";

    /// <summary>What pg_dump calls it: <c>identities identities_pkey</c>.</summary>
    public string Tag { get; init; } = "";

    /// <summary>The entries that must be there before it.</summary>
    public IReadOnlyList<int> Needs { get; init; } = [];

    /// <summary>Its statements, without those that only set something for the session.</summary>
    public IReadOnlyList<string> Statements { get; init; } = [];

    /// <summary>The first of them, or nothing.</summary>
    public string Statement => Statements.Count > 0 ? Statements[0] : "";
}

/// <summary>
/// What an archive holds, entry by entry, and what each depends on. <c>pg_restore --verbose</c> writes both into comments before the
/// statements of each entry (PostgreSQL, pg_backup_archiver.c, _printTocEntry); names are read from the statements, where they are quoted.
/// </summary>
internal sealed partial class ArchiveOutline
{
    private readonly List<ArchiveEntry> entries = [];
    private int firstStatement;

    private ArchiveOutline() { }

    /// <summary>The entries, in the order of the archive.</summary>
    public IReadOnlyList<ArchiveEntry> Entries => entries;

    /// <summary>The statements about the database itself.</summary>
    public IReadOnlyList<DatabaseStatement> DatabaseStatements { get; private set; } = [];

    /// <summary>False when literals in the archive escape by backslashes.</summary>
    public bool StandardStrings { get; private set; }

    /// <summary>Reads a decrypted archive to its end; it is disposed.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.DumpUnreadable"/>, <see cref="ErrorCode.ToolFailed"/>, or what reading it
    /// throws.</exception>
    public static async Task<ArchiveOutline> ReadAsync(Stream archive, PostgresTools tools, CancellationToken cancel)
    {
        ToolProcess restore = await tools.Host.StartAsync(
            new ToolCommand("pg_restore", "--create", "--verbose", "--file=-")
            {
                Label = "pg_restore (reading what is in the dump)",
                MayStopReading = true,
            },
            cancel
        );
        await using ToolStream text = ToolStream.Through(restore, archive, cancel);
        return await ReadScriptAsync(text, cancel);
    }

    /// <summary>Reads the script that pg_restore writes.</summary>
    public static async Task<ArchiveOutline> ReadScriptAsync(Stream text, CancellationToken cancel)
    {
        var outline = new ArchiveOutline();
        List<string> statements = [];
        using var script = new ScriptReader { KeepStatements = true, Comment = comment => outline.Read(comment, statements) };
        statements = script.Statements;
        await ArchiveDecoder.ReadAsync(text, script, cancel);
        script.RequireEnd();
        outline.EndEntry(statements);
        outline.DatabaseStatements = script.DatabaseStatements;
        outline.StandardStrings = script.StandardStrings;
        return outline;
    }

    private void Read(string comment, List<string> statements)
    {
        if (First().Match(comment) is { Success: true } first)
        {
            EndEntry(statements);
            entries.Add(new ArchiveEntry { Id = Number(first.Groups[1].Value) });
        }
        else if (entries.Count > 0 && entries[^1].Type.Length == 0)
        {
            if (comment.StartsWith("-- Dependencies: ", StringComparison.Ordinal))
            {
                entries[^1] = entries[^1] with
                {
                    Needs = [.. comment["-- Dependencies: ".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Number)],
                };
            }
            else if (Second().Match(comment) is { Success: true } second)
            {
                entries[^1] = entries[^1] with { Tag = second.Groups[1].Value, Type = second.Groups[2].Value };
            }
        }
    }

    // What was read since the last entry's comment was its own, but for what pg_restore sets for the next.
    private void EndEntry(List<string> statements)
    {
        if (entries.Count > 0)
        {
            entries[^1] = entries[^1] with
            {
                Statements = [.. statements.Skip(firstStatement).Where(static s => !s.StartsWith("SET ", StringComparison.Ordinal))],
            };
        }

        firstStatement = statements.Count;
    }

    private static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^-- TOC entry (\d+) \(class \d+ OID \d+\)$")]
    private static partial Regex First();

    [GeneratedRegex("^-- (?:Data for )?Name: (.*); Type: ([A-Z ]+); Schema: .*; Owner: ", RegexOptions.Singleline)]
    private static partial Regex Second();
}
