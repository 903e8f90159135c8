using System.CommandLine;
using PgBackup.App.Render;
using PgBackup.Installations;
using PgBackup.Neon;

namespace PgBackup.App.Verbs.Look;

/// <summary><c>status --neon TIME</c>: the steps of a restore by Neon's own history. Nothing is changed, and no store is read.</summary>
internal sealed class NeonOption
{
    private readonly Option<string?> time = new("--neon")
    {
        Description =
            "Print the steps by which Neon itself restores to this moment (2026-11-27T03:00:00Z), instead of the status; "
            + "needs `neon:` in the config",
        HelpName = "TIME",
    };

    /// <summary>Adds it to the verb.</summary>
    public void AddTo(Command command) => command.Add(time);

    /// <summary>The moment, or null where it is not asked for.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Usage"/>.</exception>
    public DateTimeOffset? Read(ParseResult parsed, params IEnumerable<Option> others)
    {
        if (parsed.GetValue(time) is not { } text)
        {
            return null;
        }

        if (others.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } other)
        {
            throw new PgBackupException(ErrorCode.Usage, $"--neon and {other.Name} exclude each other.", "Choose one.");
        }

        return NeonSteps.Moment(text);
    }

    /// <summary>Asks Neon, and prints the steps.</summary>
    /// <exception cref="PgBackupException">Neon does not reach so far back, or did not say how far.</exception>
    public static async Task<int> ShowAsync(Installation installation, DateTimeOffset moment, CancellationToken cancel)
    {
        if (installation.Config.Neon is not { } config || installation.Neon() is not { } api)
        {
            throw new PgBackupException(ErrorCode.Usage, "the config names no project of Neon.", "Write `neon:` (docs/neon.md).");
        }

        NeonReading reading = await api.ReadAsync(cancel);
        foreach (string line in NeonSteps.Of(config, reading, moment, installation.Clock.GetUtcNow()))
        {
            Terminal.Line(line);
        }

        return 0;
    }
}
