using PgBackup.Encryption;

namespace PgBackup.Configuration;

/// <summary>Reads <c>encryption:</c>.</summary>
internal sealed class EncryptionReader(List<ConfigError> errors, bool forBackup)
{
    private static readonly EncryptionKind[] Kinds = [EncryptionKind.Gpg, EncryptionKind.Age, EncryptionKind.Provider];

    /// <summary>What it says; none where it says nothing.</summary>
    public EncryptionConfig Read(YamlSection root)
    {
        var none = new EncryptionConfig { Kind = EncryptionKind.None };
        if (!root.Has("encryption"))
        {
            RequireDecision(root);
            return none;
        }

        if (root.IsText("encryption"))
        {
            RequireNone(root);
            return none;
        }

        if (root.Section("encryption") is not { } section)
        {
            return none;
        }

        List<EncryptionKind> kinds = [.. Kinds.Where(k => section.Has(k.Word()))];
        if (kinds.Count != 1)
        {
            section.Error(
                kinds.Count == 0 ? "gpg" : kinds[0].Word(),
                kinds.Count == 0
                    ? "neither gpg: nor age: nor provider: is there."
                    : $"{string.Join(" and ", kinds.Select(static k => k.Word()))} exclude each other.",
                "Write exactly one of them."
            );
        }

        EncryptionConfig? result = kinds switch
        {
            [EncryptionKind.Provider, ..] => ReadProvider(section),
            [EncryptionKind kind, ..] => ReadCipher(section, kind),
            [] => null,
        };
        section.RejectUnknown();
        return result ?? none;
    }

    // Nobody stores dumps in clear text by forgetting a key.
    private void RequireDecision(YamlSection root)
    {
        if (forBackup)
        {
            root.Error(
                "encryption",
                "it is missing.",
                "Write encryption: { gpg: { recipients: [...] } } or { age: { recipients: [...] } }; or the word none, if the dumps "
                    + "are to lie there in clear text."
            );
        }
    }

    private static void RequireNone(YamlSection root)
    {
        string? word = root.Text("encryption");
        if (word != "none")
        {
            root.Error("encryption", $"\"{word}\" is not allowed.", "Write gpg: or age: with recipients below it, or the word none.");
        }
    }

    private static EncryptionConfig ReadProvider(YamlSection section)
    {
        if (section.Text("provider") is not "sse")
        {
            section.Error(
                "provider",
                "the only way is sse.",
                "Write provider: sse, if every store encrypts what it is given (server-side encryption)."
            );
        }

        return new EncryptionConfig { Kind = EncryptionKind.Provider };
    }

    // Null where its keys are none: that is reported.
    private EncryptionConfig? ReadCipher(YamlSection section, EncryptionKind kind)
    {
        if (section.Section(kind.Word()) is not { } cipher)
        {
            return null;
        }

        int before = errors.Count;
        IReadOnlyList<string> recipients = cipher.Texts("recipients");
        if (recipients.Count == 0 && errors.Count == before)
        {
            cipher.Error("recipients", "nobody could decrypt.", "Name at least one recipient; two are better (one of them in escrow).");
        }

        var config = new EncryptionConfig
        {
            Kind = kind,
            Recipients = recipients,
            HomeFolder = kind == EncryptionKind.Gpg ? cipher.Text("home") : null,
            IdentityFile = cipher.Text("identity_file"),
            PassphraseFile = kind == EncryptionKind.Gpg ? cipher.Text("passphrase_file") : null,
        };
        cipher.RejectUnknown();
        return config;
    }
}
