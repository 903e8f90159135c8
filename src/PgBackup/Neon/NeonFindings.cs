using PgBackup.Configuration;

namespace PgBackup.Neon;

/// <summary>What is wrong with a project of Neon. Pure.</summary>
internal static class NeonFindings
{
    // Source: neon.com/docs/introduction/history-window, "Defaults and plan limits", read on 2026-11-28.
    private static readonly (string Plan, TimeSpan Most)[] Plans =
    [
        ("Free", TimeSpan.FromHours(6)),
        ("Launch", TimeSpan.FromDays(7)),
        ("Scale", TimeSpan.FromDays(30)),
    ];

    /// <summary>Judges what was read.</summary>
    /// <param name="config">What is expected.</param>
    /// <param name="reading">What Neon said.</param>
    public static IEnumerable<Finding> Of(BackupConfig config, NeonReading reading)
    {
        if (config.Neon is not { } expected)
        {
            yield break;
        }

        if (reading.Project is { } project && expected.Window is { } window && project.Window < window)
        {
            yield return Finding.Error(
                ErrorCode.NeonWindowShort,
                expected.Project,
                $"Neon keeps the history of {Foreign.Line(project.Name)} for {Span(project.Window)}; the config asks for {Span(window)}",
                "what is noticed later can be restored to the moment of a snapshot alone",
                $"Raise it in the Neon console (Settings, Instant restore), or lower window: of neon: in the config. {PlanFor(window)}"
            );
        }

        if (reading.Problem is { } problem)
        {
            yield return Finding.Warning(
                ErrorCode.NeonUnknown,
                expected.Project,
                reading.Project is null ? "how far back Neon itself can restore is not known"
                    : reading.Project.Branch is null ? "which branch Neon itself would restore is not known"
                    : "on which host Neon serves the branch is not known",
                $"Neon's API: {problem.Why}",
                problem.Fix
            );
        }

        if (reading.Project?.Branch is { Host: { } host } branch && OtherHost(config.Source, host) is { } other)
        {
            yield return Finding.Warning(
                ErrorCode.NeonHostMismatch,
                expected.Project,
                $"the source is {Foreign.Line(other)}, and the branch {Foreign.Line(branch.Name)} of Neon is at {host}",
                "so Neon's window may be that of another branch than the one that is backed up",
                "Correct the url: of source:, or project: and branch: of neon: in the config"
            );
        }
    }

    /// <summary>A length of time, without rounding a whole number of hours or days.</summary>
    internal static string Span(TimeSpan span) =>
        span.Ticks % TimeSpan.TicksPerDay == 0 && span > TimeSpan.Zero ? $"{span.TotalDays:0} d"
        : span.Ticks % TimeSpan.TicksPerHour == 0 && span > TimeSpan.Zero ? $"{span.TotalHours:0} h"
        : $"{span.TotalSeconds:0} s";

    private static string PlanFor(TimeSpan window)
    {
        string limits = $"the limits are {string.Join(", ", Plans.Select(static p => $"{p.Plan} {Span(p.Most)}"))}, as of 2026-11-28";
        string? least = Plans.Where(p => p.Most >= window).Select(static p => p.Plan).FirstOrDefault();
        return least is null ? $"No plan of Neon reaches back so far: {limits}" : $"It takes the plan {least} or a larger one: {limits}";
    }

    // A host may have gone to another part of its region, and its old name still leads there: the first label is the compute's id.
    private static string? OtherHost(SourceConfig source, string host) =>
        source.Engine is null && source.Connection.Host is { Length: > 0 } named
            ? named.Split(',').FirstOrDefault(n => n.Length > 0 && !IsSame(n, host))
            : null;

    private static bool IsSame(string one, string other)
    {
        string[] a = one.ToUpperInvariant().TrimEnd('.').Split('.');
        string[] b = other.ToUpperInvariant().TrimEnd('.').Split('.');
        return a[0] == b[0] && a.TakeLast(2).SequenceEqual(b.TakeLast(2));
    }
}
