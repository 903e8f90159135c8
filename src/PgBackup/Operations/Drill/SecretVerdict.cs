using System.Text.Json.Serialization;

namespace PgBackup.Operations.Drill;

/// <summary>Whether a service's own key decrypts what it stored. Reports hold it as a word: <see cref="SecretVerdicts.Word"/>.</summary>
[JsonConverter(typeof(SecretVerdictConverter))]
public enum SecretVerdict
{
    /// <summary>A word of a newer version, in its report. No drill comes to it.</summary>
    Unknown,

    /// <summary>Every value that was tried decrypts.</summary>
    Decrypts,

    /// <summary>At least one of them does not.</summary>
    WrongKey,

    /// <summary>There is none.</summary>
    NothingEncrypted,

    /// <summary>They are encrypted in a way that this program has no cryptography for.</summary>
    NotTestable,

    /// <summary>The config has no key for them.</summary>
    NotTested,

    /// <summary>The test could not be made, or a value is damaged.</summary>
    Failed,
}

/// <summary>The words of <see cref="SecretVerdict"/>.</summary>
public static class SecretVerdicts
{
    /// <summary>The word in reports, and for people.</summary>
    public static string Word(this SecretVerdict verdict) =>
        verdict switch
        {
            SecretVerdict.Decrypts => "decrypts",
            SecretVerdict.WrongKey => "WRONG KEY",
            SecretVerdict.NothingEncrypted => "nothing encrypted",
            SecretVerdict.NotTestable => "not testable",
            SecretVerdict.NotTested => "not tested",
            SecretVerdict.Failed => "FAILED",
            _ => "unknown",
        };
}

/// <summary>A <see cref="SecretVerdict"/> in JSON.</summary>
public sealed class SecretVerdictConverter() : WordConverter<SecretVerdict>(SecretVerdicts.Word, SecretVerdict.Unknown);
