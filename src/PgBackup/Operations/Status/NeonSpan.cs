using PgBackup.Neon;

namespace PgBackup.Operations.Status;

/// <summary>How far back Neon itself reaches, for people. Pure.</summary>
public static class NeonSpan
{
    /// <summary>In a sentence without a full stop. Names are as Neon said them.</summary>
    public static string Of(StatusNeon neon)
    {
        string window = NeonFindings.Span(TimeSpan.FromSeconds(neon.WindowSeconds));
        string reach =
            neon.WindowSeconds <= 0 ? "keeps no history"
            : neon.Earliest is { } earliest ? $"any second since {NeonSteps.Up(earliest)} (window {window})"
            : $"a window of {window}, of a branch that is not known";
        return $"{reach}, project {neon.Project}{(neon.Branch is null ? "" : $", branch {neon.Branch}")}";
    }
}
