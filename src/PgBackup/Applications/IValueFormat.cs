namespace PgBackup.Applications;

/// <summary>
/// How a service encrypts single values before it stores them, as its own source has it. Values and secrets go in, verdicts come out;
/// neither a value nor a secret nor what was decrypted is ever part of a verdict.
/// </summary>
internal interface IValueFormat
{
    /// <summary>Tries a stored value with each secret, in their order.</summary>
    /// <param name="value">As it is stored.</param>
    /// <param name="secrets">As the service is given them: the present one first, then those from before its rotations.</param>
    ValueVerdict Try(string value, IReadOnlyList<string> secrets);
}

/// <summary>What became of one value.</summary>
internal enum ValueState
{
    /// <summary>A secret decrypts it, and its authentication tag is right.</summary>
    Decrypts,

    /// <summary>It has the right form, and no secret decrypts it.</summary>
    WrongKey,

    /// <summary>It is nothing that the service could have written with any key.</summary>
    Malformed,

    /// <summary>It is not encrypted.</summary>
    Plain,

    /// <summary>It is encrypted in a way that .NET's own cryptography has no part for.</summary>
    NotTestable,
}

/// <summary>The verdict on one value.</summary>
/// <param name="State">What became of it.</param>
/// <param name="Secret">Which secret decrypts it, from 1; else 0.</param>
/// <param name="Why">Why it is malformed or not testable, as the end of "it ..."; else null.</param>
internal sealed record ValueVerdict(ValueState State, int Secret = 0, string? Why = null);
