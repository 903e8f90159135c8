using System.Text.RegularExpressions;
using PgBackup.Encryption;
using PgBackup.Tools;

namespace PgBackup.Tests.Encryption;

public sealed partial class AgeCipherTests : SecretCipherContract, IAsyncLifetime
{
    private readonly TestFolder folder = new();
    private readonly Dictionary<string, string> recipients = [];

    public async ValueTask InitializeAsync()
    {
        foreach (string who in (string[])["ops", "escrow", "stranger"])
        {
            await ToolProcess.ReadAsync(new ToolCommand("age-keygen", "--output", folder[who]), Cancel);
            recipients[who] = PublicKey().Match(await File.ReadAllTextAsync(folder[who], Cancel)).Value;
        }
    }

    public ValueTask DisposeAsync()
    {
        folder.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override ICipher Encrypting() => new AgeCipher([recipients["ops"], recipients["escrow"]], null, TimeProvider.System);

    protected override ICipher Decrypting(string who) => DecryptingWith(folder[who]);

    protected override ICipher DecryptingWith(string identityFile) =>
        new AgeCipher([recipients["ops"], recipients["escrow"]], new Identity { File = identityFile }, TimeProvider.System);

    protected override ToolCommand StockDecryption(string file) => new("age", "--decrypt", "--identity", folder["escrow"], file);

    [Theory]
    [InlineData("")]
    [InlineData("a note about where the key is\n")]
    [InlineData("# public key: age1qqqqqqqq\n")]
    public async Task An_identity_file_without_a_private_key_is_told_as_that_and_not_as_a_wrong_one(string text)
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);
        string file = folder.Write("none", text);

        foreach (string named in (string[])[file, "/dev/null"])
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
                await AllOfAsync(DecryptingWith(named).Decrypt(new MemoryStream(stored), Cancel))
            );
            error.Code.ShouldBe(ErrorCode.IdentityUnusable);
            error.Message.ShouldStartWith($"the identity file {named} holds no private key");
            (await Should.ThrowAsync<PgBackupException>(() => DecryptingWith(named).WithEachKeyAsync(Cancel))).Code.ShouldBe(
                ErrorCode.IdentityUnusable
            );
        }
    }

    [Fact]
    public async Task An_identity_from_a_pipe_decrypts_as_often_as_it_is_needed_and_leaves_no_copy()
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);
        string pipe = folder["pipe"];
        await ToolProcess.ReadAsync(new ToolCommand("mkfifo", pipe), Cancel);
        string text = await File.ReadAllTextAsync(folder["ops"], Cancel);
        var writing = Task.Run(() => File.WriteAllText(pipe, text), Cancel); // waits for its reader when it opens the pipe
        var identity = new Identity { File = pipe };
        string[] before = Directory.GetDirectories("/dev/shm", $"olympus-pgbackup-{Environment.ProcessId}-*");
        for (int snapshot = 0; snapshot < 2; snapshot++)
        {
            await using var cipher = new AgeCipher([recipients["ops"], recipients["escrow"]], identity, TimeProvider.System);
            (await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);
            ICipher each = (await cipher.WithEachKeyAsync(Cancel)).ShouldHaveSingleItem();
            (await AllOfAsync(each.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);
            each.DecryptedBy.ShouldBe(recipients["ops"]);
        }

        await writing;
        HashSet<string> left = [.. Directory.GetDirectories("/dev/shm", $"olympus-pgbackup-{Environment.ProcessId}-*").Except(before)];
        for (int i = 0; i < 3000 && left.Count > 0; i++)
        {
            await Task.Delay(10, Cancel);
            left.RemoveWhere(static d => !Directory.Exists(d)); // those of tests beside this one go with them
        }

        left.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_identity_with_a_byte_order_mark_decrypts()
    {
        byte[] stored = await EncryptAsync([1, 2, 3]);
        string text = await File.ReadAllTextAsync(folder["ops"], Cancel);
        foreach (
            System.Text.Encoding encoding in (System.Text.Encoding[])[new System.Text.UTF8Encoding(true), System.Text.Encoding.Unicode]
        )
        {
            await File.WriteAllTextAsync(folder["marked"], text.ReplaceLineEndings("\r\n"), encoding, Cancel);
            await using var cipher = new AgeCipher([recipients["ops"]], new Identity { File = folder["marked"] }, TimeProvider.System);
            (await AllOfAsync(cipher.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);
        }
    }

    [Fact]
    public async Task One_key_named_twice_is_one_recipient()
    {
        (await new AgeCipher([recipients["ops"], recipients["ops"]], null, TimeProvider.System).CheckAsync(Cancel))
            .ShouldHaveSingleItem()
            .Fingerprint.ShouldBe(recipients["ops"]);
    }

    [Fact]
    public async Task Its_recipients_are_their_public_keys()
    {
        ICipher cipher = Encrypting();

        (cipher.Kind, cipher.Extension).ShouldBe(("age", ".age"));
        (await cipher.CheckAsync(Cancel)).ShouldBe([
            new Recipient { Name = recipients["ops"], Fingerprint = recipients["ops"] },
            new Recipient { Name = recipients["escrow"], Fingerprint = recipients["escrow"] },
        ]);
    }

    [Theory]
    [InlineData("ops@example.com")]
    [InlineData("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq")]
    [InlineData("--version")]
    [InlineData("")]
    public async Task What_is_no_public_key_is_refused_before_anything_is_encrypted(string recipient)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() =>
            new AgeCipher([recipients["ops"], recipient], null, TimeProvider.System).CheckAsync(Cancel)
        );

        error.Code.ShouldBe(ErrorCode.RecipientUnusable);
        error.Message.ShouldContain($"\"{recipient}\"");
        error.Remedy.ShouldNotBeNull().ShouldContain("age1");
    }

    [Fact]
    public void Without_an_identity_it_says_how_to_name_one()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => Encrypting().Decrypt(new MemoryStream(), Cancel));

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        recipients.Where(static r => r.Key != "stranger").ShouldAllBe(r => error.Message.Contains(r.Value));
        error.Remedy.ShouldNotBeNull().ShouldContain("--identity");
    }

    [Fact]
    public async Task Of_several_keys_in_one_file_each_is_tried_alone_and_no_copy_of_them_stays()
    {
        string all = string.Concat(((string[])["stranger", "escrow", "ops"]).Select(who => $"# {who}\n{File.ReadAllText(folder[who])}\n"));
        byte[] stored = await EncryptAsync([1, 2, 3]);
        string[] before = PrivateKeys();
        var cipher = (AgeCipher)DecryptingWith(folder.Write("all", all));
        IReadOnlyList<ICipher> alone = await cipher.WithEachKeyAsync(Cancel);
        List<string?> found = [];
        foreach (ICipher one in alone)
        {
            try
            {
                (await AllOfAsync(one.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);
                found.Add(one.DecryptedBy);
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.IdentityUnusable)
            {
                found.Add(null);
            }
        }

        found.ShouldBe([null, recipients["escrow"], recipients["ops"]]);
        string[] copies = [.. PrivateKeys().Except(before)];
        copies.Length.ShouldBe(3);
        copies.ShouldAllBe(static f => File.GetUnixFileMode(f) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
        await cipher.DisposeAsync();
        PrivateKeys().Except(before).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_ssh_key_is_known_whatever_the_comment_of_its_recipient()
    {
        await ToolProcess.ReadAsync(
            new ToolCommand("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ops at home", "-f", folder["ssh"]),
            Cancel
        );
        string recipient = string.Join(' ', (await File.ReadAllTextAsync(folder["ssh.pub"], Cancel)).Split(' ')[..2]) + " another comment";
        var encrypting = new AgeCipher([recipients["ops"], recipient], null, TimeProvider.System);
        byte[] stored = await AllOfAsync(encrypting.Encrypt(new MemoryStream([1, 2, 3]), Cancel));
        await using var cipher = new AgeCipher([recipients["ops"], recipient], new Identity { File = folder["ssh"] }, TimeProvider.System);
        ICipher one = (await cipher.WithEachKeyAsync(Cancel)).ShouldHaveSingleItem();

        (await AllOfAsync(one.Decrypt(new MemoryStream(stored), Cancel))).ShouldBe([1, 2, 3]);

        one.DecryptedBy.ShouldBe(recipient);
    }

    [Theory]
    [InlineData("--passphrase")]
    [InlineData("--passphrase --armor")]
    public async Task An_identity_with_a_passphrase_is_told_as_that(string options)
    {
        // age takes a passphrase from a terminal only; script makes one.
        await ToolProcess.ReadAsync(
            new ToolCommand(
                "sh",
                "-c",
                "{ sleep 1; echo open sesame; sleep 1; echo open sesame; sleep 2; } | script --quiet --return --command \"age $1 "
                    + "--output $2 $3\" /dev/null",
                "sh",
                options,
                folder["locked"],
                folder["ops"]
            ),
            Cancel
        );
        (await File.ReadAllTextAsync(folder["locked"], Cancel)).ShouldNotContain("AGE-SECRET-KEY");
        byte[] stored = await EncryptAsync([1, 2, 3]);

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
            await AllOfAsync(DecryptingWith(folder["locked"]).Decrypt(new MemoryStream(stored), Cancel))
        );

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        error.Message.ShouldBe(
            $"the identity {folder["locked"]} is protected by a passphrase, which age asks for at a terminal only; the snapshot can "
                + $"be decrypted by the private key of {recipients["ops"]} or {recipients["escrow"]}."
        );
        error.Remedy.ShouldNotBeNull().ShouldContain($"age --decrypt {folder["locked"]}");
    }

    [Fact]
    public async Task An_ssh_key_with_a_passphrase_is_told_as_that_too()
    {
        await ToolProcess.ReadAsync(new ToolCommand("ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", folder["ssh"]), Cancel);
        var encrypting = new AgeCipher([(await File.ReadAllTextAsync(folder["ssh.pub"], Cancel)).Trim()], null, TimeProvider.System);
        byte[] stored = await AllOfAsync(encrypting.Encrypt(new MemoryStream([1, 2, 3]), Cancel));

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(async () =>
            await AllOfAsync(DecryptingWith(folder["ssh"]).Decrypt(new MemoryStream(stored), Cancel))
        );

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        error.Message.ShouldStartWith(
            $"the identity {folder["ssh"]} is protected by a passphrase, which age asks for at a terminal only; "
        );
    }

    private static string[] PrivateKeys() =>
        [
            .. Directory
                .GetDirectories("/dev/shm", $"olympus-pgbackup-{Environment.ProcessId}-*")
                .SelectMany(static f => Directory.GetFiles(f, "key*")),
        ];

    [GeneratedRegex("age1[a-z0-9]+")]
    private static partial Regex PublicKey();
}
