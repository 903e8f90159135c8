namespace PgBackup.Configuration;

/// <summary>Reads <c>encryption:</c>.</summary>
internal sealed class EncryptionReader(List<ConfigError> errors, bool forBackup)
{
    /// <summary>What it says; none where it says nothing.</summary>
    public EncryptionConfig Read(YamlSection root)
    {
        var none = new EncryptionConfig { Kind = "none" };
        if (!root.Has("encryption"))
        {
            if (!forBackup)
            {
                return none;
            }

            root.Error("encryption", "it is missing.", "Write encryption: { gpg: { recipients: [...] } } or { age: { recipients: [...] } }; or the word none, if the dumps are to lie there in clear text.");
            return none;
        }

        if (root.IsText("encryption"))
        {
            string? word = root.Text("encryption");
            if (word != "none")
            {
                root.Error("encryption", $"\"{word}\" is not allowed.", "Write gpg: or age: with recipients below it, or the word none.");
            }

            return none;
        }

        if (root.Section("encryption") is not { } section)
        {
            return none;
        }

        List<string> kinds = [.. ((string[])["gpg", "age", "provider"]).Where(section.Has)];
        if (kinds.Count != 1)
        {
            section.Error(
                kinds.Count == 0 ? "gpg" : kinds[0], kinds.Count == 0 ? "neither gpg: nor age: nor provider: is there."
                    : $"{string.Join(" and ", kinds)} exclude each other.", "Write exactly one of them.");
        }

        EncryptionConfig result = none;
        if (kinds is ["provider", ..])
        {
            if (section.Text("provider") is not "sse")
            {
                section.Error("provider", "the only way is sse.",
                    "Write provider: sse, if every store encrypts what it is given (server-side encryption).");
            }

            result = new EncryptionConfig { Kind = "provider" };
        }
        else if (kinds.Count > 0 && section.Section(kinds[0]) is { } cipher)
        {
            int before = errors.Count;
            IReadOnlyList<string> recipients = cipher.Texts("recipients");
            if (recipients.Count == 0 && errors.Count == before)
            {
                cipher.Error("recipients", "nobody could decrypt.", "Name at least one recipient; two are better (one of them in escrow).");
            }

            result = new EncryptionConfig
            {
                Kind = kinds[0],
                Recipients = recipients,
                HomeFolder = kinds[0] == "gpg" ? cipher.Text("home") : null,
                IdentityFile = cipher.Text("identity_file"),
                PassphraseFile = kinds[0] == "gpg" ? cipher.Text("passphrase_file") : null,
            };
            cipher.RejectUnknown();
        }

        section.RejectUnknown();
        return result;
    }
}
