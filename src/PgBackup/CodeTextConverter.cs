using System.Text.Json;
using System.Text.Json.Serialization;

namespace PgBackup;

/// <summary>Writes a code as it is printed, <c>PGB-0012</c>. A code of a newer version is read too, as a number without a name.</summary>
public sealed class CodeTextConverter : JsonConverter<ErrorCode>
{
    /// <inheritdoc/>
    public override ErrorCode Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        (reader.TokenType == JsonTokenType.String ? PgBackupException.CodeOf(reader.GetString()!) : null)
        ?? throw new JsonException("this is no code");

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, ErrorCode value, JsonSerializerOptions options) =>
        writer.WriteStringValue(PgBackupException.CodeTextOf(value));
}
