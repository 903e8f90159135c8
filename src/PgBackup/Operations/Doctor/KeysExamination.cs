using PgBackup.Encryption;
using PgBackup.Operations.Keys;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.Operations.Doctor;

/// <summary>The recipients of the next snapshot, when their private keys were tested, and the private key that drills use.</summary>
/// <param name="cipher">The cipher of the config, to encrypt.</param>
/// <param name="drillIdentity">The private key of the config, or null.</param>
/// <param name="cipherFor">The cipher for a snapshot, with that key.</param>
/// <param name="stores">Where tests are recorded.</param>
/// <param name="newest">The newest snapshot.</param>
/// <param name="clock">The time.</param>
internal sealed class KeysExamination(
    Func<ICipher> cipher,
    Identity? drillIdentity,
    Func<Manifest, ICipher> cipherFor,
    IReadOnlyList<IObjectStore> stores,
    NewestSnapshot newest,
    TimeProvider clock
)
{
    /// <summary>Looks at all of it.</summary>
    public async Task RunAsync(Sheet sheet, CancellationToken cancel)
    {
        await RecipientsAsync(sheet, cancel);
        await DrillKeyAsync(sheet, cancel);
    }

    private async Task RecipientsAsync(Sheet sheet, CancellationToken cancel)
    {
        IReadOnlyList<Recipient> recipients;
        await using ICipher configured = cipher();
        try
        {
            sheet.Doing = $"trying {configured.Kind} with the recipients";
            recipients = await configured.CheckAsync(cancel);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            sheet.Add("recipients", Finding.Of(Severity.Error, "encryption", e));
            return;
        }

        if (recipients.Count == 0)
        {
            return; // nobody is a recipient; the examination of the stores speaks of encryption
        }

        sheet.Doing = "listing keys/ in the stores";
        DateTimeOffset now = clock.GetUtcNow();
        KeysSurvey survey = await KeysSurvey.OfAsync(stores, now, cancel);
        IReadOnlyList<Finding> findings = survey.IsKnown
            ? KeyFindings.Of(recipients, survey.LastTestOf, survey.KnownSince(recipients), now)
            : KeyFindings.Of(recipients, now);
        sheet.Add(
            $"{configured.Kind} encrypts to {Words.Count(recipients.Count, "recipient")}: "
                + string.Join(", ", recipients.Select(KeyFindings.Name)),
            [.. survey.Problems, .. findings]
        );
    }

    // On a small part of the newest snapshot, as a drill does first.
    private async Task DrillKeyAsync(Sheet sheet, CancellationToken cancel)
    {
        sheet.Doing = "looking for the newest snapshot";
        if (await newest.WithStoreAsync(cancel) is not var (store, manifest) || manifest.Recipients.Count == 0)
        {
            return;
        }

        if (drillIdentity is null)
        {
            await using ICipher keyring = cipherFor(manifest);
            if (await keyring.HasIdentityAsync(cancel))
            {
                sheet.Add($"a private key for {manifest.Id} is in the keyring of this user");
                return;
            }

            sheet.Add(
                "the private key for drills",
                Finding.Note(
                    ErrorCode.DrillKeyMissing,
                    "drill",
                    "the config names no private key, so a drill from cron cannot decrypt",
                    fix: "`olympus-pgbackup drill --identity FILE` names one; drill: { identity_file: FILE } does it for good, on a host "
                        + "other than the backup host"
                )
            );
            return;
        }

        try
        {
            sheet.Doing = $"decrypting a part of {manifest.Id} with the key of the config";
            await new KeysOperation(stores, clock).RequireIdentityAsync(SnapshotRef.Parse(manifest.Id), store, cipherFor, cancel);
            sheet.Add($"the private key of the config decrypts {manifest.Id}");
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            sheet.Add("the private key for drills", Finding.Of(Severity.Error, "drill", e));
        }
    }
}
