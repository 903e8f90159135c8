using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Configuration;

namespace PgBackup.Neon;

/// <summary>What the answers of the API mean. An id or a host that cannot be one is taken for none: commands are made of them.
/// Pure.</summary>
internal static partial class NeonAnswers
{
    private const int LongestName = 100;
    private const string SeeConsole = "Look at the project in the Neon console, and at neon: in the config";

    // Neon keeps history for 30 days at most.
    private static readonly TimeSpan LongestWindow = TimeSpan.FromDays(3660);

    /// <summary>Puts them together. Without the branch, the window is still worth knowing.</summary>
    public static NeonReading Read(
        NeonConfig config,
        NeonTold<ProjectAnswer> project,
        NeonTold<BranchesAnswer> branches,
        NeonTold<EndpointsAnswer> endpoints
    )
    {
        if (project.Value is not { } answer)
        {
            return new NeonReading { Problem = project.Problem };
        }

        long? seconds = answer.Project?.HistoryRetentionSeconds;
        if (seconds is not >= 0 || seconds > LongestWindow.TotalSeconds)
        {
            string said = seconds is { } odd
                ? string.Create(CultureInfo.InvariantCulture, $"it says that it keeps history for {odd} s")
                : "its answer does not have how long it keeps history";
            return new NeonReading { Problem = new NeonProblem(said, SeeConsole) };
        }

        (NeonBranch? branch, NeonProblem? problem) = branches.Value is { } told
            ? Branch(config, told.Branches ?? [])
            : (null, branches.Problem);
        if (branch is not null)
        {
            branch = branch with { Host = HostOf(branch.Id, endpoints.Value?.Endpoints ?? []) };
        }

        return new NeonReading
        {
            Project = new NeonProject
            {
                Id = config.Project,
                Name = Short(answer.Project?.Name) ?? config.Project,
                Window = TimeSpan.FromSeconds(seconds.Value),
                Branch = branch,
            },
            Problem = problem ?? endpoints.Problem,
        };
    }

    private static (NeonBranch? Branch, NeonProblem? Problem) Branch(NeonConfig config, IReadOnlyList<BranchSaid?> branches)
    {
        BranchSaid[] all = [.. branches.OfType<BranchSaid>()];
        BranchSaid? found = config.Branch is { } wanted
            ? all.FirstOrDefault(b => b.Id == wanted) ?? all.FirstOrDefault(b => b.Name == wanted)
            : all.FirstOrDefault(static b => b.Default == true) ?? all.FirstOrDefault(static b => b.Primary == true);
        if (found is null)
        {
            string among = $"among the {Words.Count(all.Length, "branch", "branches")} that it names";
            return (
                null,
                config.Branch is null
                    ? new NeonProblem($"no default branch is {among}", "Name the branch of the databases by branch: in neon: of the config")
                    : new NeonProblem($"no branch \"{Foreign.Line(config.Branch)}\" is {among}", "Correct branch: of neon: in the config")
            );
        }

        return found.Id is { } id && ResourceId().IsMatch(id) && found.CreatedAt is { } created
            ? (
                new NeonBranch
                {
                    Id = id,
                    Name = Short(found.Name) ?? id,
                    Created = created,
                },
                null
            )
            : (null, new NeonProblem("it does not say which branch that is, and since when there is one", SeeConsole));
    }

    private static string? HostOf(string branch, IReadOnlyList<EndpointSaid?> endpoints) =>
        endpoints.OfType<EndpointSaid>().FirstOrDefault(e => e.BranchId == branch && e.Type == "read_write")?.Host is { } host
        && HostName().IsMatch(host)
            ? host
            : null;

    private static string? Short(string? name) =>
        string.IsNullOrWhiteSpace(name) ? null
        : name.Length > LongestName ? name[..LongestName]
        : name;

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9-]{0,99}\z")]
    private static partial Regex ResourceId();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9.-]{0,252}\z")]
    private static partial Regex HostName();
}
