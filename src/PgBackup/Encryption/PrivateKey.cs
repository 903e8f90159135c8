namespace PgBackup.Encryption;

/// <summary>A private key that was pasted where something else belongs: known by how such keys begin, and never shown.</summary>
public static class PrivateKey
{
    /// <summary>What is wrong, without the key.</summary>
    public const string Refusal = "this is a private key (it is not shown here).";

    /// <summary>What to do about it.</summary>
    public const string Remedy =
        "Write the public half: `age-keygen -y FILE` prints an age recipient, `gpg --list-keys` fingerprints. A private key goes into "
        + "a file of mode 0600 elsewhere. "
        + "This one has stood where others may have read it: make a new one, and replace it.";

    // age, its plugins (hardware tokens) and post-quantum keys; blocks of OpenPGP, OpenSSH and PEM.
    private static readonly string[] Marks = ["AGE-SECRET-KEY-", "AGE-PLUGIN-", "PRIVATE KEY", "BEGIN AGE ENCRYPTED FILE"];

    /// <summary>There is one in the text.</summary>
    public static bool IsIn(string text) => Marks.Any(mark => text.Contains(mark, StringComparison.OrdinalIgnoreCase));
}
