using System.Text.Json.Serialization;

namespace PgBackup;

/// <summary>
/// What is wrong or worth knowing, as data. Every face (verb, JSON, report, record) shows the same finding with the same severity.
/// </summary>
public sealed record Finding
{
    /// <summary>Which kind it is. <c>docs/errors.md</c> explains each code.</summary>
    [JsonConverter(typeof(CodeTextConverter))]
    public required ErrorCode Code { get; init; }

    /// <summary>How much it matters.</summary>
    public required Severity Severity { get; init; }

    /// <summary>What it is about, by name: a database, a table as <c>database.schema.table</c>, a store, a snapshot, a key. Empty where
    /// there is no name.</summary>
    public required string Subject { get; init; }

    /// <summary>What is the case, in a sentence that names its subject and can stand alone. None of the sentences ends with a full
    /// stop.</summary>
    public required string What { get; init; }

    /// <summary>Why, or how that is known; null where <see cref="What"/> says it all.</summary>
    public string? Why { get; init; }

    /// <summary>What to do, in sentences; null where there is nothing to do.</summary>
    public string? Fix { get; init; }

    /// <summary>The whole of it in words.</summary>
    [JsonIgnore]
    public string Text
    {
        get
        {
            // Behind lines that are quoted, what to do begins a line of its own.
            return Fix is null ? Fact
                : Fact.Contains('\n', StringComparison.Ordinal) ? $"{Fact}\n  what to do: {Fix}"
                : Fact is [.., '!' or '?'] ? $"{Fact} {Fix}"
                : $"{Fact}. {Fix}";
        }
    }

    /// <summary>What is the case and why, without what to do.</summary>
    [JsonIgnore]
    public string Fact => Why is null ? What : $"{What}: {Why}";

    /// <summary>Its code and the whole of it in words: <c>PGB-0130: encrypted to one key alone, ...</c>.</summary>
    [JsonIgnore]
    public string Line => $"{PgBackupException.CodeTextOf(Code)}: {Text}";

    /// <summary>Something worth knowing.</summary>
    public static Finding Note(ErrorCode code, string subject, string what, string? why = null, string? fix = null) =>
        Of(Severity.Note, code, subject, what, why, fix);

    /// <summary>Something at which somebody should look.</summary>
    public static Finding Warning(ErrorCode code, string subject, string what, string? why = null, string? fix = null) =>
        Of(Severity.Warning, code, subject, what, why, fix);

    /// <summary>Something that is wrong.</summary>
    public static Finding Error(ErrorCode code, string subject, string what, string? why = null, string? fix = null) =>
        Of(Severity.Error, code, subject, what, why, fix);

    /// <summary>An error that ended something, and not the whole: its code, its message and its remedy.</summary>
    public static Finding Of(Severity severity, string subject, PgBackupException error) =>
        Of(severity, error.Code, subject, error.Message, null, error.Remedy);

    /// <summary>What an error kept from being done: a kind of its own, with the error as the reason.</summary>
    public static Finding Of(Severity severity, ErrorCode code, string subject, string what, PgBackupException error) =>
        Of(severity, code, subject, what, $"{error.CodeText}: {error.Message}", error.Remedy);

    /// <summary>A sentence of a record that was written before there were findings.</summary>
    public static Finding Earlier(Severity severity, string sentence) => Of(severity, ErrorCode.EarlierFinding, "", sentence, null, null);

    private static Finding Of(Severity severity, ErrorCode code, string subject, string what, string? why, string? fix) =>
        new()
        {
            Code = code,
            Severity = severity,
            Subject = subject,
            What = Bare(what),
            Why = why is null ? null : Bare(why),
            Fix = fix is null ? null : Bare(fix),
        };

    // Sentences of errors end with a full stop, those of findings do not: a face joins them.
    private static string Bare(string sentence) =>
        sentence.EndsWith('.') && !sentence.EndsWith("..", StringComparison.Ordinal) ? sentence[..^1] : sentence;
}
