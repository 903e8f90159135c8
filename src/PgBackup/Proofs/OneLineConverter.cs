using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace PgBackup.Proofs;

/// <summary>A list of names in one line, also where JSON is indented: a table with thirty columns takes one line of a manifest.</summary>
public sealed class OneLineConverter : JsonConverter<IReadOnlyList<string>>
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException();
        }

        List<string> names = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.String)
        {
            names.Add(reader.GetString()!);
        }

        return reader.TokenType == JsonTokenType.EndArray ? names : throw new JsonException();
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, IReadOnlyList<string> value, JsonSerializerOptions options)
    {
        var line = new ArrayBufferWriter<byte>();
        using (var inner = new Utf8JsonWriter(line, new JsonWriterOptions { Encoder = options.Encoder }))
        {
            inner.WriteStartArray();
            foreach (string name in value)
            {
                inner.WriteStringValue(name);
            }

            inner.WriteEndArray();
        }

        writer.WriteRawValue(line.WrittenSpan, skipInputValidation: true);
    }
}
