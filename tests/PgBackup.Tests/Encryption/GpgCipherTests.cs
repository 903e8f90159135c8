using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Streams;
using PgBackup.Tests.Tools;
using PgBackup.Tools;

namespace PgBackup.Tests.Encryption;

public sealed class GpgCipherTests(GpgKeys keys) : SecretCipherContract, IClassFixture<GpgKeys>, IAsyncLifetime
{
    private readonly List<GpgCipher> made = [];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (GpgCipher cipher in made)
        {
            await cipher.DisposeAsync();
        }
    }

    protected override ICipher Encrypting() => For("ops@example.com", keys.Fingerprints["escrow"]);

    protected override ICipher Decrypting(string who) => DecryptingWith(keys.File(who));

    protected override ICipher DecryptingWith(string identityFile) =>
        Make(["ops@example.com", keys.Fingerprints["escrow"]], new Identity { File = identityFile });

    protected override ToolCommand StockDecryption(string file) => new("gpg", "--homedir", keys.SecretHome, "--batch", "--decrypt", file);

    [Fact]
    public async Task Its_recipients_are_known_by_fingerprint_and_have_a_last_day()
    {
        ICipher cipher = Encrypting();

        IReadOnlyList<Recipient> recipients = await cipher.CheckAsync(Cancel);

        (cipher.Kind, cipher.Extension).ShouldBe(("gpg", ".gpg"));
        recipients
            .Select(static r => (r.Name, r.Fingerprint))
            .ShouldBe([("ops@example.com", keys.Fingerprints["ops"]), (keys.Fingerprints["escrow"], keys.Fingerprints["escrow"])]);
        recipients.ShouldAllBe(static r =>
            r.Expires > TimeProvider.System.GetUtcNow().AddDays(360) && r.Expires < TimeProvider.System.GetUtcNow().AddDays(370)
        );
    }

    [Theory]
    [InlineData("nobody@example.com", "gpg knows no such key", "gpg --import")]
    [InlineData("expired@example.com", "expired on 2020-12-31 (today is 20", "gpg --quick-set-expire")]
    [InlineData("revoked@example.com", "is revoked", "Name another")]
    [InlineData("twin@example.com", "2 keys match it", "Write the fingerprint")]
    [InlineData("signer@example.com", "has no usable encryption key", "add or extend an encryption subkey")]
    [InlineData("--version", "gpg knows no such key", "gpg --import")]
    [InlineData("disabled@example.com", "is disabled in the keyring", "enable")]
    [InlineData("C41D1A1B1E1F11121314151617181920AAAABBBB!", "a single subkey", "without the !")]
    public async Task A_recipient_that_cannot_be_used_is_refused_with_the_reason(string recipient, string reason, string remedy)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => For("ops@example.com", recipient).CheckAsync(Cancel));

        error.Code.ShouldBe(ErrorCode.RecipientUnusable);
        error.Message.ShouldStartWith($"the gpg recipient \"{recipient}\" cannot be used: ");
        error.Message.ShouldContain(reason);
        error.Remedy.ShouldNotBeNull().ShouldContain(remedy);
    }

    [Fact]
    public async Task One_key_named_by_address_and_fingerprint_is_one_recipient() =>
        (await For("ops@example.com", keys.Fingerprints["ops"]).CheckAsync(Cancel))
            .ShouldHaveSingleItem()
            .Fingerprint.ShouldBe(keys.Fingerprints["ops"]);

    [Fact]
    public async Task A_home_folder_that_is_not_there_is_told_as_that()
    {
        await using var cipher = new GpgCipher(["ops@example.com"], "/nowhere/gnupg", null, TimeProvider.System);
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => cipher.CheckAsync(Cancel));
        error.Message.ShouldBe("the gpg recipient \"ops@example.com\" cannot be used: gpg's home folder /nowhere/gnupg is not there.");
    }

    [Fact]
    public async Task The_agent_of_a_private_key_is_found_by_gpg_and_ends_with_the_process_that_started_it()
    {
        using var home = PrivateFolder.Create(TimeProvider.System);
        var probe = new ToolCommand("gpg-connect-agent", "--homedir", home.Path, "--no-autostart", "GETINFO pid", "/bye");
        string pid;
        await using (GpgAgent? agent = await GpgAgent.StartAsync(home, Cancel))
        {
            agent.ShouldNotBeNull();
            ToolResult answer = await ToolProcess.TryReadAsync(probe, Cancel);
            pid = answer.Output.Split('\n')[0].Replace("D ", "", StringComparison.Ordinal);
            FakeTool.IsRunning(pid).ShouldBeTrue(answer.Output);
        }

        await FakeTool.UntilAsync(() => !FakeTool.IsRunning(pid));
    }

    [Fact]
    public async Task An_identity_and_a_passphrase_from_pipes_decrypt_as_often_as_they_are_needed()
    {
        using var folder = new TestFolder();
        GpgCipher encrypting = For("locked@example.com");
        await encrypting.CheckAsync(Cancel);
        byte[] stored = await AllOfAsync(encrypting.Encrypt(new MemoryStream([1, 2, 3]), Cancel));
        foreach (string pipe in (string[])["key", "phrase"])
        {
            await ToolProcess.ReadAsync(new ToolCommand("mkfifo", folder[pipe]), Cancel);
        }

        byte[] key = await File.ReadAllBytesAsync(keys.File("locked"), Cancel);
        // Each waits for its reader when it opens the pipe.
        var writing = Task.WhenAll(
            Task.Run(() => File.WriteAllBytes(folder["key"], key), Cancel),
            Task.Run(() => File.WriteAllText(folder["phrase"], "open sesame\n"), Cancel)
        );
        var identity = new Identity { File = folder["key"], PassphraseFile = folder["phrase"] };
        for (int snapshot = 0; snapshot < 2; snapshot++)
        {
            await using var cipher = new GpgCipher(["locked@example.com"], keys.PublicHome, identity, TimeProvider.System);
            (await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);
            (await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);
        }

        await writing;
    }

    [Fact]
    public async Task An_ambiguous_recipient_is_told_both_fingerprints()
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => For("twin@example.com").CheckAsync(Cancel));

        error.Remedy.ShouldNotBeNull().ShouldContain(keys.Fingerprints["twin1"]);
        error.Remedy.ShouldContain(keys.Fingerprints["twin2"]);
    }

    [Fact]
    public async Task One_of_two_keys_of_an_address_can_be_meant_by_its_fingerprint() =>
        (await For(keys.Fingerprints["twin2"]).CheckAsync(Cancel)).Single().Fingerprint.ShouldBe(keys.Fingerprints["twin2"]);

    [Fact]
    public async Task An_address_is_not_found_within_a_longer_one() =>
        (await Should.ThrowAsync<PgBackupException>(() => For("ops2@example.com").CheckAsync(Cancel))).Message.ShouldContain(
            "gpg knows no such key"
        );

    [Fact]
    public async Task A_message_that_is_not_encrypted_is_refused()
    {
        using var folder = new TestFolder();
        await GpgKeys.GpgAsync(keys.SecretHome, ["--output", folder["object"], "--store", folder.Write("plain", "a forged dump")]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
            await DecryptAsync("ops", await File.ReadAllBytesAsync(folder["object"], Cancel))
        );

        error.Message.ShouldStartWith("gpg --decrypt found no whole encrypted message");
    }

    [Fact]
    public async Task A_message_cut_within_its_list_of_recipients_is_refused_though_gpg_is_content()
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);
        for (int length = 20; length < 190; length += 34)
        {
            await Should.ThrowAsync<PgBackupException>(() => DecryptAsync("ops", stored[..length]), $"cut after {length}");
        }
    }

    [Fact]
    public async Task The_lines_of_gpg_that_are_for_programs_are_not_quoted()
    {
        byte[] stored = await EncryptAsync(new byte[100_000]);
        stored[^1000] ^= 1;

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => DecryptAsync("ops", stored));

        error.Message.ShouldContain("gpg: ");
        error.Message.ShouldNotContain("[GNUPG:]");
    }

    [Fact]
    public async Task Without_a_secret_key_in_the_keyring_it_says_so()
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
            await AllOfAsync(Make(["ops@example.com"], null).Decrypt(new MemoryStream(stored), Cancel))
        );

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        error.Message.ShouldContain("in its keyring");
    }

    [Fact]
    public async Task The_keyring_of_the_home_folder_decrypts_when_it_has_the_secret_key()
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);
        var cipher = new GpgCipher(["ops@example.com"], keys.SecretHome, null, TimeProvider.System);

        (await cipher.HasIdentityAsync(Cancel)).ShouldBeTrue();
        (await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public async Task A_key_with_a_passphrase_needs_the_file_with_it()
    {
        using var folder = new TestFolder();
        GpgCipher encrypting = For("locked@example.com");
        await encrypting.CheckAsync(Cancel);
        byte[] stored = await AllOfAsync(encrypting.Encrypt(new MemoryStream([1, 2, 3]), Cancel));

        async Task<byte[]> WithAsync(string? passphrase)
        {
            string? file = passphrase is null ? null : folder.Write("passphrase", passphrase);
            await using var cipher = new GpgCipher(
                ["locked@example.com"],
                keys.PublicHome,
                new Identity { File = keys.File("locked"), PassphraseFile = file },
                TimeProvider.System
            );
            return await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel));
        }

        foreach (string right in (string[])["open sesame\n", "open sesame", "open sesame\r\n", "\uFEFFopen sesame\nanother line\n"])
        {
            (await WithAsync(right)).ShouldBe([1, 2, 3]);
        }

        foreach (string? wrong in (string?[])["open barley\n", null])
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => WithAsync(wrong));
            string how = wrong is null ? "missing or wrong" : $"not the one in {folder["passphrase"]}";
            (error.Code, error.Message).ShouldBe(
                (
                    ErrorCode.IdentityUnusable,
                    $"the passphrase of the secret key {keys.Fingerprints["locked"]} in {keys.File("locked")} is {how}; the snapshot "
                        + $"can be decrypted by the secret key of locked@example.com."
                )
            );
        }
    }

    [Theory]
    [InlineData("/nowhere/passphrase")]
    [InlineData("/tmp")]
    public async Task A_file_with_the_passphrase_that_cannot_be_read_is_named(string file)
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);
        await using var cipher = new GpgCipher(
            ["ops@example.com"],
            keys.PublicHome,
            new Identity { File = keys.File("ops"), PassphraseFile = file },
            TimeProvider.System
        );

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
            await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel))
        );

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        error.Message.ShouldContain(file);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_encrypted_to_a_key_that_has_expired_since_can_still_be_decrypted(bool fromFile)
    {
        using var folder = new TestFolder();
        string fingerprint = keys.Fingerprints["expired"];
        await GpgKeys.GpgAsync(
            keys.SecretHome,
            [
                "--faked-system-time",
                "20200601T000000",
                "--trust-model",
                "always",
                "--recipient",
                fingerprint,
                "--output",
                folder["object"],
                "--encrypt",
                folder.Write("plain", "of a better year"),
            ]
        );
        await using var cipher = new GpgCipher(
            [fingerprint],
            fromFile ? keys.PublicHome : keys.SecretHome,
            fromFile ? new Identity { File = keys.File("expired") } : null,
            TimeProvider.System
        );

        byte[] plain = await AllOfAsync(cipher.Decrypt(File.OpenRead(folder["object"]), Cancel));

        System.Text.Encoding.UTF8.GetString(plain).ShouldBe("of a better year");
        cipher.DecryptedBy.ShouldBe(fingerprint);
    }

    [Fact]
    public async Task An_identity_from_a_file_stays_out_of_the_operators_keyring_and_is_forgotten()
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);
        string[] before = Imported();
        var cipher = new GpgCipher(["ops@example.com"], keys.PublicHome, new Identity { File = keys.File("ops") }, TimeProvider.System);

        await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel));
        await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel));
        string folder = Imported().Except(before).ShouldHaveSingleItem();
        await cipher.DisposeAsync();

        Directory.Exists(folder).ShouldBeFalse();
        (await GpgKeys.GpgAsync(keys.PublicHome, ["--list-secret-keys"])).ShouldBeEmpty();
    }

    [Fact]
    public async Task Until_a_key_was_used_once_decryptions_ask_for_it_one_at_a_time()
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);
        await using var cipher = new GpgCipher(
            ["ops@example.com"],
            keys.PublicHome,
            new Identity { File = keys.File("ops") },
            TimeProvider.System
        );
        TaskCompletionSource<Stream>[] fed = [new(), new(), new(), new()];
        TaskCompletionSource[] started = [new(), new(), new(), new()];
        Task<byte[]> Decrypted(int i) =>
            Task.Run(() =>
                AllOfAsync(
                    cipher.Decrypt(
                        new DeferredStream(
                            _ =>
                            {
                                started[i].SetResult();
                                return fed[i].Task;
                            },
                            Cancel
                        ),
                        Cancel
                    )
                )
            );

        Task<byte[]> cut = Decrypted(0);
        await started[0].Task.WaitAsync(Cancel);
        Task<byte[]> whole = Decrypted(1);
        await Task.Delay(300, Cancel);
        started[1].Task.IsCompleted.ShouldBeFalse();

        fed[0].SetResult(new MemoryStream(stored[..20]));
        await Should.ThrowAsync<PgBackupException>(() => cut);
        await started[1].Task.WaitAsync(Cancel);
        Task<byte[]> held = Decrypted(2);
        await Task.Delay(300, Cancel);
        started[2].Task.IsCompleted.ShouldBeFalse("one that failed has used no key");

        fed[1].SetResult(new MemoryStream(stored));
        (await whole).ShouldBe([1, 2, 3]);
        await started[2].Task.WaitAsync(Cancel);
        fed[3].SetResult(new MemoryStream(stored));
        (await Decrypted(3)).ShouldBe([1, 2, 3], "now beside one that has not ended");
        fed[2].SetResult(new MemoryStream(stored));
        (await held).ShouldBe([1, 2, 3]);
    }

    [Fact]
    public async Task A_file_that_cannot_be_imported_leaves_no_keyring_and_is_tried_again()
    {
        using var folder = new TestFolder();
        byte[] stored = await EncryptAsync([1, 2, 3]);
        string[] before = Imported();
        await using var cipher = new GpgCipher(
            ["ops@example.com"],
            keys.PublicHome,
            new Identity { File = folder.Write("key", "no key at all") },
            TimeProvider.System
        );

        for (int i = 0; i < 2; i++)
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
                await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel))
            );
            error.Code.ShouldBe(ErrorCode.IdentityUnusable);
            error.Message.ShouldStartWith("gpg cannot import the identity");
            Imported().Except(before).ShouldBeEmpty();
        }

        File.Copy(keys.File("ops"), folder["key"], overwrite: true);
        (await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);
    }

    // Other test classes make private folders at the same time, but none with a keyring.
    private static string[] Imported() =>
        [
            .. Directory
                .GetDirectories("/dev/shm", $"olympus-pgbackup-{Environment.ProcessId}-*")
                .Where(static f => Directory.Exists(Path.Combine(f, "private-keys-v1.d"))),
        ];

    private GpgCipher For(params string[] recipients) => Make(recipients, null);

    private GpgCipher Make(string[] recipients, Identity? identity)
    {
        var cipher = new GpgCipher(recipients, keys.PublicHome, identity, TimeProvider.System);
        made.Add(cipher);
        return cipher;
    }
}
