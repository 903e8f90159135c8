using System.Globalization;
using PgBackup.App.Render;

namespace PgBackup.App.Restore;

/// <summary>A dialogue on stderr, all of it before anything is changed.</summary>
internal sealed class Questions(CancellationToken cancel)
{
    /// <summary>A line.</summary>
    public static void Say(string text) => Terminal.Message(text);

    /// <summary>An error after which the question is asked again, or the dialogue continues.</summary>
    public static void Say(PgBackupException error) =>
        Say($"{error.CodeText}: {error.Message}{(error.Remedy is { } remedy ? $"\n  what to do: {remedy}" : "")}");

    /// <summary>Lines with columns, and numbers before them.</summary>
    public static void List(IReadOnlyList<string[]> rows, bool numbered = true)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(i => rows.Max(r => Terminal.InOneLine(r[i]).Length))];
        foreach ((int index, string[] row) in rows.Index())
        {
            string number = numbered ? $"{index + 1, 2}" : "  ";
            string cells = string.Join("   ", row.Select((cell, i) => Terminal.InOneLine(cell).PadRight(widths[i])));
            Say($"  {number}  {cells}".TrimEnd());
        }
    }

    /// <summary>An answer, without the spaces around it.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.NotConfirmed"/>: the input ended;
    /// <see cref="ErrorCode.Cancelled"/>.</exception>
    public async Task<string> AskAsync(string question) =>
        (await Terminal.AskAsync(question, cancel))?.Trim()
        ?? throw new PgBackupException(
            ErrorCode.NotConfirmed,
            "the input ended before the last question; nothing was changed.",
            "Answer on a terminal, or say everything by options: `olympus-pgbackup restore --help`."
        );

    /// <summary>Has one of a list chosen by its number; returns its index.</summary>
    public async Task<int> ChooseAsync(string what, int count, int usual)
    {
        while (true)
        {
            string answer = await AskAsync($"{what} [{usual}]: ");
            if (
                (
                    answer.Length == 0 ? usual
                    : int.TryParse(answer, CultureInfo.InvariantCulture, out int n) ? n
                    : 0
                )
                    is int number
                && number >= 1
                && number <= count
            )
            {
                return number - 1;
            }

            Say($"Write a number from 1 to {count}.");
        }
    }
}
