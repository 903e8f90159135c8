namespace PgBackup.Operations.Check;

/// <summary>How deep a check looks.</summary>
public enum CheckDepth
{
    /// <summary>Presence and sizes, from a listing.</summary>
    Present,

    /// <summary>Every stored byte against its digest; decrypted and decoded too where a private key is at hand.</summary>
    ReadData,

    /// <summary>Every byte, decrypted and decoded; without a key that fits, the check fails.</summary>
    Decode,
}
