using System.Text.Json;
using System.Text.Json.Serialization;
using PgBackup.Operations.Status;

namespace PgBackup.Notifications;

/// <summary>
/// What somebody is told. <c>docs/notices.md</c> documents its JSON. It holds no secret; texts of stores and servers in it are data, in one
/// line each and without what a terminal obeys.
/// </summary>
public sealed record Notice
{
    /// <summary>The format that this version writes.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The format.</summary>
    public required int Format { get; init; }

    /// <summary>The same for each attempt to deliver it: a receiver may get it twice.</summary>
    public required string Id { get; init; }

    /// <summary>Why it is sent.</summary>
    public required NoticeKind Kind { get; init; }

    /// <summary>The cluster's name in the config.</summary>
    public required string Cluster { get; init; }

    /// <summary>The host that sends it; null where the config says that records name nobody.</summary>
    public string? Host { get; init; }

    /// <summary>When it was made, in UTC.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>How the backups stand.</summary>
    public required StatusLevel Level { get; init; }

    /// <summary>All of it in a line.</summary>
    public required string Title { get; init; }

    /// <summary>What is wrong or worth knowing, the gravest first; at most <see cref="Situation.MostFindings"/>.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>How many more there are.</summary>
    public int FindingsOmitted { get; init; }

    /// <summary>As JSON in UTF-8.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, NoticeJson.Default.Notice);
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(Notice))]
[JsonSerializable(typeof(NoticeMemory))]
[JsonSerializable(typeof(Handover))]
[JsonSerializable(typeof(SlackMessage))]
internal sealed partial class NoticeJson : JsonSerializerContext;

/// <summary>A message as Slack takes it.</summary>
/// <param name="Text">The text, in its mrkdwn.</param>
internal sealed record SlackMessage(string Text);
