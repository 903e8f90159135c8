namespace PgBackup.Encryption;

/// <summary>Who encrypts what is stored. Manifests and reports hold it as a word: <see cref="EncryptionKinds.Word"/>.</summary>
public enum EncryptionKind
{
    /// <summary>Nobody.</summary>
    None,

    /// <summary>Each store, which is held to it.</summary>
    Provider,

    /// <summary>gpg.</summary>
    Gpg,

    /// <summary>age.</summary>
    Age,
}

/// <summary>The words of <see cref="EncryptionKind"/>.</summary>
public static class EncryptionKinds
{
    private static readonly Dictionary<string, EncryptionKind> ByWord = new(StringComparer.Ordinal)
    {
        ["gpg"] = EncryptionKind.Gpg,
        ["age"] = EncryptionKind.Age,
        ["provider"] = EncryptionKind.Provider,
        ["none"] = EncryptionKind.None,
    };

    /// <summary>All words, for messages.</summary>
    public static string Known => string.Join(", ", ByWord.Keys);

    /// <summary>The word in config and manifest.</summary>
    public static string Word(this EncryptionKind kind) => ByWord.First(pair => pair.Value == kind).Key;

    /// <summary>The kind of a word; null where this version knows none of that name. It is then never read as clear text.</summary>
    public static EncryptionKind? TryParse(string word) => ByWord.TryGetValue(word, out EncryptionKind kind) ? kind : null;
}
