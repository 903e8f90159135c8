using System.Text.Json;
using System.Text.Json.Serialization;

namespace PgBackup;

/// <summary>An enum in JSON, as the words of its members. No number is read, and no word in other letters.</summary>
/// <param name="word">The word of a member. A word that lies in stores never changes.</param>
/// <param name="unknown">What a word that this version does not know is read as; null where it is an error.</param>
public abstract class WordConverter<T>(Func<T, string> word, T? unknown = null) : JsonConverter<T>
    where T : struct, Enum
{
    private readonly Dictionary<string, T> byWord = Enum.GetValues<T>().ToDictionary(word, StringComparer.Ordinal);

    /// <inheritdoc/>
    /// <exception cref="JsonException">It is no text, or an unknown word that is an error.</exception>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        string text = reader.GetString() ?? throw new JsonException();
        return byWord.TryGetValue(text, out T value) ? value : unknown ?? throw new JsonException();
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(word(value));
}
