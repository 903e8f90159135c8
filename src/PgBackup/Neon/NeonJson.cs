using System.Text.Json.Serialization;

namespace PgBackup.Neon;

/// <summary>What Neon's API answers, in the fields that are used. Source: neon.com/docs/reference/api, read on 2026-11-28.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ProjectAnswer))]
[JsonSerializable(typeof(BranchesAnswer))]
[JsonSerializable(typeof(EndpointsAnswer))]
internal sealed partial class NeonJson : JsonSerializerContext;

/// <summary><c>GET /projects/{id}</c>.</summary>
internal sealed record ProjectAnswer
{
    public ProjectSaid? Project { get; init; }
}

/// <summary>A project. Its history is that of all its branches.</summary>
internal sealed record ProjectSaid
{
    public string? Name { get; init; }

    public long? HistoryRetentionSeconds { get; init; }
}

/// <summary><c>GET /projects/{id}/branches</c>.</summary>
internal sealed record BranchesAnswer
{
    public IReadOnlyList<BranchSaid?>? Branches { get; init; }
}

/// <summary>A branch. Older answers have <c>primary</c> for <c>default</c>.</summary>
internal sealed record BranchSaid
{
    public string? Id { get; init; }

    public string? Name { get; init; }

    public bool? Default { get; init; }

    public bool? Primary { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }
}

/// <summary><c>GET /projects/{id}/endpoints</c>.</summary>
internal sealed record EndpointsAnswer
{
    public IReadOnlyList<EndpointSaid?>? Endpoints { get; init; }
}

/// <summary>A compute. A branch has one that writes, at most.</summary>
internal sealed record EndpointSaid
{
    public string? Host { get; init; }

    public string? BranchId { get; init; }

    public string? Type { get; init; }
}
