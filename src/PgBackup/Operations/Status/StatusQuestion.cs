using System.Text.Json.Serialization;

namespace PgBackup.Operations.Status;

/// <summary>What a status answers, in the order in which it is asked.</summary>
[JsonConverter(typeof(StatusQuestionConverter))]
public enum StatusQuestion
{
    /// <summary>Can we recover?</summary>
    Recover,

    /// <summary>How much would be lost?</summary>
    Loss,

    /// <summary>How fast would it be?</summary>
    Speed,

    /// <summary>Is the key good?</summary>
    Keys,

    /// <summary>Is everything off this host?</summary>
    OffHost,

    /// <summary>What is kept, and what does it cost?</summary>
    Kept,

    /// <summary>What runs, and when?</summary>
    Runs,
}

/// <summary>The words of <see cref="StatusQuestion"/>.</summary>
public static class StatusQuestions
{
    /// <summary>The word in JSON.</summary>
    public static string Word(this StatusQuestion question) =>
        question switch
        {
            StatusQuestion.Recover => "recover",
            StatusQuestion.Loss => "loss",
            StatusQuestion.Speed => "speed",
            StatusQuestion.Keys => "keys",
            StatusQuestion.OffHost => "off_host",
            StatusQuestion.Kept => "kept",
            _ => "runs",
        };

    /// <summary>The question for people.</summary>
    public static string Text(this StatusQuestion question) =>
        question switch
        {
            StatusQuestion.Recover => "Can we recover?",
            StatusQuestion.Loss => "What would be lost?",
            StatusQuestion.Speed => "How fast?",
            StatusQuestion.Keys => "Is the key good?",
            StatusQuestion.OffHost => "Is it off this host?",
            StatusQuestion.Kept => "What is kept?",
            _ => "What runs when?",
        };
}

/// <summary>A <see cref="StatusQuestion"/> in JSON.</summary>
public sealed class StatusQuestionConverter() : WordConverter<StatusQuestion>(StatusQuestions.Word);
