using System.Text.Json;

namespace PgBackup.Tools;

/// <summary>What an engine says of a container (podman-container-inspect(1)).</summary>
public sealed record ContainerFacts
{
    /// <summary>The environment that it was made with.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Folders of this host that it sees, volumes too.</summary>
    public required IReadOnlyList<(string Inside, string Source)> Mounts { get; init; }

    /// <summary>The folder of this host with what it wrote elsewhere; null where the engine does not say.</summary>
    public string? Layer { get; init; }

    /// <summary>Reads the engine's words; null where they are none.</summary>
    internal static ContainerFacts? Read(string json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement container = document.RootElement[0];
            return new ContainerFacts
            {
                Environment = Items(container, "Config", "Env")
                    .Select(static v => v.GetString()!.Split('=', 2))
                    .Where(static v => v.Length == 2)
                    .DistinctBy(static v => v[0])
                    .ToDictionary(static v => v[0], static v => v[1], StringComparer.Ordinal),
                Mounts = [.. Items(container, "Mounts").Select(static m => (Text(m, "Destination") ?? "", Text(m, "Source") ?? ""))],
                Layer = Of(container, "GraphDriver", "Data") is { ValueKind: JsonValueKind.Object } data ? Text(data, "UpperDir") : null,
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    private static JsonElement? Of(JsonElement from, params ReadOnlySpan<string> path)
    {
        foreach (string name in path)
        {
            if (from.ValueKind != JsonValueKind.Object || !from.TryGetProperty(name, out from))
            {
                return null;
            }
        }

        return from;
    }

    private static IEnumerable<JsonElement> Items(JsonElement from, params ReadOnlySpan<string> path) =>
        Of(from, path) is { ValueKind: JsonValueKind.Array } array ? [.. array.EnumerateArray()] : [];

    private static string? Text(JsonElement of, string name) =>
        of.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
