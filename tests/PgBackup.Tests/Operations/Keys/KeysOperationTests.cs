using PgBackup.Encryption;
using PgBackup.Operations.Keys;
using PgBackup.Snapshots;
using PgBackup.Tools;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Operations.Keys;

/// <summary>Tests of keys by age, on a snapshot that is really encrypted, in two stores.</summary>
public sealed class KeysOperationTests : IAsyncLifetime
{
    private readonly Stores stores = new();
    private readonly Dictionary<string, string> publicKeys = [];
    private readonly List<Recipient> recipients = [];
    private FaultyStore local = null!;
    private FaultyStore offsite = null!;
    private Manifest manifest = null!;

    public async ValueTask InitializeAsync()
    {
        (local, offsite) = (stores.Faulty("local"), stores.Faulty("offsite"));
        foreach (string who in (string[])["ops", "escrow", "stranger"])
        {
            await ToolProcess.ReadAsync(new ToolCommand("age-keygen", "--output", stores.Folder[who]), Cancel);
            publicKeys[who] = (await ToolProcess.ReadAsync(new ToolCommand("age-keygen", "-y", stores.Folder[who]), Cancel)).Trim();
        }

        recipients.AddRange(((string[])["ops", "escrow"]).Select(who => new Recipient { Name = who, Fingerprint = publicKeys[who] }));
        SnapshotSample encrypted = await Of(Day(22))
            .EncryptedAsync(new AgeCipher([.. recipients.Select(static r => r.Fingerprint)], null, TimeProvider.System));
        manifest = encrypted.Manifest with { Recipients = recipients };
        foreach (string store in (string[])["local", "offsite"])
        {
            await encrypted.PutAsync(stores.Open(store));
            await encrypted.PutAsync(stores.Open(store), SnapshotLayout.Manifest, manifest.ToJson());
        }
    }

    public ValueTask DisposeAsync()
    {
        stores.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData("ops")]
    [InlineData("escrow")]
    public async Task A_key_that_decrypts_canary_and_part_is_recorded_in_every_store_and_the_other_key_is_still_to_be_tested(string who)
    {
        string other = who == "ops" ? "escrow" : "ops";
        await AfterRunAsync();

        KeyTestReport report = await TestAsync(who);

        KeyTest test = report.Tests.ShouldHaveSingleItem();
        (test.Fingerprint, test.Name, test.Snapshot, test.Store, test.How).ShouldBe(
            (publicKeys[who], who, manifest.Id, "offsite", "keys test")
        );
        (test.Time, test.Host, test.Format).ShouldBe((stores.Clock.Now, Environment.MachineName, 1));
        (report.Canary, report.Part, report.Bytes).ShouldBe((true, manifest.Globals!.Object, 350));
        report.RecordedIn.ShouldBe(["local", "offsite"]);
        report.Findings.Texts().ShouldHaveSingleItem().ShouldContain($"days: {other} (never). Run ");
        foreach (string store in (string[])["local", "offsite"])
        {
            KeyTest
                .TryRead(await File.ReadAllBytesAsync(stores.PathOf(store, $"keys/tested-{publicKeys[who]}-20260322T040000Z.json"), Cancel))
                .ShouldBe(test);
        }

        (await TestAsync(other)).Findings.ShouldBeEmpty();
        stores.Clock.Now = stores.Clock.Now.AddDays(91);
        (await AfterRunAsync()).Texts().ShouldHaveSingleItem().ShouldContain("(last on 2026-03-22)");
    }

    [Fact]
    public async Task Of_several_keys_in_one_file_each_that_decrypts_is_recorded_and_a_strangers_is_not()
    {
        string all = string.Concat(((string[])["stranger", "ops", "escrow"]).Select(who => File.ReadAllText(stores.Folder[who]) + "\n"));
        stores.Folder.Write("all", all);

        KeyTestReport report = await TestAsync("all");

        report.Tests.Select(static t => t.Name).ShouldBe(["ops", "escrow"]);
        report.Findings.ShouldBeEmpty();
        report.Canary.ShouldBeFalse();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wrong_key_is_told_in_one_sentence_with_those_that_would_do_and_nothing_is_recorded(bool several)
    {
        await AfterRunAsync();
        stores.Folder.Write(
            "wrong",
            string.Concat(Enumerable.Repeat(await File.ReadAllTextAsync(stores.Folder["stranger"], Cancel) + "\n", several ? 2 : 1))
        );
        SortedDictionary<string, string> before = stores.Contents("offsite");

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => TestAsync("wrong"));

        error.Code.ShouldBe(ErrorCode.IdentityUnusable);
        error.Message.ShouldBe(
            $"the identity {stores.Folder["wrong"]} does not decrypt this snapshot; the snapshot can be decrypted by the private key "
                + $"of {publicKeys["ops"]} or {publicKeys["escrow"]}."
        );
        stores.Contents("offsite").ShouldBe(before);
    }

    [Fact]
    public async Task A_canary_for_somebody_else_is_not_the_fault_of_a_good_key()
    {
        string canary = stores.PathOf("offsite", "keys/" + KeysFolder.CanaryName(recipients, ".age"));
        Directory.CreateDirectory(Path.GetDirectoryName(canary)!);
        stores.Folder.Write("sentence", KeysFolder.CanaryText(manifest.Cluster));
        await ToolProcess.ReadAsync(
            new ToolCommand("age", "--recipient", publicKeys["ops"], "--output", canary, stores.Folder["sentence"]),
            Cancel
        );

        (await TestAsync("ops")).Canary.ShouldBeTrue();
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => TestAsync("escrow"));

        error.Code.ShouldBe(ErrorCode.KeyTestFailed);
        error.Message.ShouldContain("the key is right, and the canary was exchanged");
        (await Should.ThrowAsync<PgBackupException>(() => TestAsync("stranger"))).Code.ShouldBe(ErrorCode.IdentityUnusable);
    }

    [Fact]
    public async Task No_record_makes_the_folder_of_a_store_that_is_not_there()
    {
        stores.Clear("local");

        KeyTestReport report = await TestAsync("ops");

        report.RecordedIn.ShouldBe(["offsite"]);
        Directory.Exists(stores.Folder["local"]).ShouldBeFalse();
    }

    [Fact]
    public async Task A_run_writes_the_canary_where_it_is_missing_and_not_again_and_a_new_one_for_new_recipients()
    {
        string canary = "put keys/" + KeysFolder.CanaryName(recipients, ".age");

        (await AfterRunAsync()).Texts().ShouldHaveSingleItem().ShouldContain("days: ops (never), escrow (never). Run ");
        await AfterRunAsync();
        (local.Calls.Count(c => c == canary), offsite.Calls.Count(c => c == canary)).ShouldBe((1, 1));
        (local.Writes, offsite.Writes).ShouldBe((2, 2), "the canary and its digest");

        File.Delete(stores.PathOf("offsite", canary[4..]));
        await AfterRunAsync();
        (local.Writes, offsite.Writes).ShouldBe((2, 5), "the digest of the lost one goes first");

        File.Delete(stores.PathOf("local", canary[4..] + ".sha256"));
        await AfterRunAsync();
        (local.Writes, offsite.Writes).ShouldBe((4, 5), "nobody vouches for a canary that lacks its digest");
        File.Exists(stores.PathOf("local", canary[4..] + ".sha256")).ShouldBeTrue();

        manifest = manifest with { Recipients = recipients[..1] };
        (await AfterRunAsync()).Count.ShouldBe(2);
        (local.Writes, offsite.Writes).ShouldBe((6, 7));
    }

    [Theory]
    [InlineData("list keys")]
    [InlineData("put keys/")]
    public async Task A_store_whose_keys_cannot_be_read_or_written_is_a_note_after_a_run(string call)
    {
        offsite.Fail = c =>
            c.StartsWith(call, StringComparison.Ordinal) ? new PgBackupException(ErrorCode.StoreUnavailable, "access denied") : null;

        IReadOnlyList<Finding> found = await AfterRunAsync();

        found.Count.ShouldBe(2);
        found[0].Subject.ShouldBe("offsite");
        found[0].Text.ShouldContain("access denied");
        local.Writes.ShouldBe(2);
        local.Fail = offsite.Fail;
        (await AfterRunAsync())
            .Count(static f => f.Text.Contains("never", StringComparison.Ordinal))
            .ShouldBe(call == "list keys" ? 0 : 1, "what cannot be read says nothing");
    }

    [Fact]
    public async Task A_snapshot_without_keys_needs_no_look_at_them()
    {
        manifest = manifest with { Recipients = [], Encryption = "provider" };

        (await AfterRunAsync()).ShouldBeEmpty();

        local.Calls.ShouldNotContain("list keys");
    }

    [Theory]
    [InlineData("none", "not encrypted")]
    [InlineData("provider", "encrypted by the store alone")]
    public async Task Without_keys_there_is_nothing_to_test_or_to_list(string encryption, string how)
    {
        SnapshotSample plain = Of(Day(23));
        stores.Clock.Now = stores.Clock.Now.AddDays(2);
        foreach (string store in (string[])["local", "offsite"])
        {
            Directory.Delete(stores.PathOf(store, manifest.Id), recursive: true); // which is encrypted
        }

        await plain.PutAsync(stores.Open("local"));
        await plain.PutAsync(stores.Open("offsite"));
        await plain.PutAsync(stores.Open("offsite"), SnapshotLayout.Manifest, (plain.Manifest with { Encryption = encryption }).ToJson());
        await plain.PutAsync(stores.Open("local"), SnapshotLayout.Manifest, (plain.Manifest with { Encryption = encryption }).ToJson());

        foreach (
            Func<Task> ask in (Func<Task>[])
                [() => TestAsync("ops"), () => Keys().ListAsync(new NoCipher(EncryptionKinds.TryParse(encryption)!.Value), Cancel)]
        )
        {
            PgBackupException error = await Should.ThrowAsync<PgBackupException>(ask);
            (error.Code, error.ExitCode).ShouldBe((ErrorCode.Usage, 2));
            error.Message.ShouldStartWith("there are no keys: the ");
            error.Message.ShouldContain(how);
        }
    }

    [Theory]
    [InlineData("part", "swap", "is not what was encrypted")]
    [InlineData("part", "flip", "cannot be decrypted to its end")]
    [InlineData("canary", "swap", "is not what was encrypted")]
    [InlineData("canary", "flip", "cannot be decrypted to its end")]
    public async Task What_decrypts_to_something_else_or_not_to_its_end_is_no_test_that_was_passed(
        string what,
        string damage,
        string message
    )
    {
        await AfterRunAsync();
        string canary = "keys/" + KeysFolder.CanaryName(recipients, ".age");
        string key = what == "part" ? $"{manifest.Id}/{manifest.Globals!.Object}" : canary;
        if (damage == "flip")
        {
            byte[] bytes = await File.ReadAllBytesAsync(stores.PathOf("offsite", key), Cancel);
            bytes[^5] ^= 1;
            await File.WriteAllBytesAsync(stores.PathOf("offsite", key), bytes, Cancel);
        }
        else
        {
            File.Copy(
                stores.PathOf("offsite", what == "part" ? canary : $"{manifest.Id}/{manifest.Globals!.Object}"),
                stores.PathOf("offsite", key),
                overwrite: true
            );
        }

        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => TestAsync("ops"));

        error.Code.ShouldBe(ErrorCode.KeyTestFailed);
        error.Message.ShouldStartWith(key);
        error.Message.ShouldContain(message);
        error.Remedy.ShouldNotBeNull();
        Directory.GetFiles(stores.PathOf("offsite", "keys"), "tested-*").ShouldBeEmpty();
    }

    [Fact]
    public async Task A_part_that_is_missing_is_told_as_that()
    {
        File.Delete(stores.PathOf("offsite", $"{manifest.Id}/{manifest.Globals!.Object}"));

        (await Should.ThrowAsync<PgBackupException>(() => TestAsync("ops"))).Code.ShouldBe(ErrorCode.ObjectDamaged);
    }

    [Fact]
    public async Task A_test_that_one_store_does_not_take_is_recorded_in_the_others_and_one_that_none_takes_is_an_error()
    {
        local.Fail = static c =>
            c.StartsWith("put keys/tested", StringComparison.Ordinal)
                ? new PgBackupException(ErrorCode.StoreUnavailable, "access denied")
                : null;

        KeyTestReport report = await TestAsync("ops");
        report.RecordedIn.ShouldBe(["offsite"]);
        report.Findings[0].Text.ShouldBe("the test could not be recorded in local: PGB-0060: access denied");
        report.Findings.Count.ShouldBe(2);

        offsite.Fail = local.Fail;
        (await Should.ThrowAsync<PgBackupException>(() => TestAsync("ops"))).Message.ShouldBe("access denied");
    }

    [Fact]
    public async Task Keys_of_config_and_newest_snapshot_are_listed_with_their_last_tests_whichever_store_knows_them()
    {
        await TestAsync("ops");
        Directory.Delete(stores.PathOf("local", "keys"), recursive: true);
        stores.Clock.Now = stores.Clock.Now.AddDays(1);
        await TestAsync("escrow");
        Directory.Delete(stores.PathOf("offsite", "keys"), recursive: true);
        stores.Copy("local", "offsite");
        Directory.Delete(stores.PathOf("local", "keys"), recursive: true);
        var configured = new AgeCipher([publicKeys["stranger"], publicKeys["ops"]], null, TimeProvider.System);

        KeysReport report = await Keys().ListAsync(configured, Cancel);

        report.Snapshot.ShouldBe(manifest.Id);
        report.Keys.Select(static k => (k.InConfig, k.InSnapshot)).ShouldBe([(true, false), (true, true), (false, true)]);
        report.Keys.Select(static k => k.Fingerprint).ShouldBe([publicKeys["stranger"], publicKeys["ops"], publicKeys["escrow"]]);
        (report.Keys[2].LastTested, report.Keys[2].LastTest!.How, report.Keys[2].LastTest!.Host).ShouldBe(
            (stores.Clock.Now, "keys test", Environment.MachineName)
        );
        (report.Keys[0].LastTested, report.Keys[0].LastTest).ShouldBe((null, null));
        report.Findings.Texts().ShouldHaveSingleItem().ShouldContain("(never), ");
    }

    [Fact]
    public async Task Keys_that_only_older_snapshots_need_are_listed_with_the_last_of_them_and_without_them_there_is_a_warning()
    {
        await TestAsync("ops");
        foreach (
            (int day, string store, Recipient[] to) in (IReadOnlyList<(int, string, Recipient[])>)
                [(17, "local", [recipients[1]]), (18, "offsite", [.. recipients]), (18, "local", [.. recipients])]
        )
        {
            SnapshotSample older = Of(Day(day));
            await older.PutAsync(stores.Open(store));
            await older.PutAsync(
                stores.Open(store),
                SnapshotLayout.Manifest,
                (older.Manifest with { Encryption = "age", Recipients = to }).ToJson()
            );
        }

        SnapshotSample newest = Of(Day(23));
        stores.Clock.Now = stores.Clock.Now.AddDays(2);
        await newest.PutAsync(stores.Open("local"));
        Recipient stranger = new() { Name = "stranger", Fingerprint = publicKeys["stranger"] };
        await newest.PutAsync(
            stores.Open("local"),
            SnapshotLayout.Manifest,
            (newest.Manifest with { Encryption = "age", Recipients = [stranger, recipients[0]] }).ToJson()
        );

        KeysReport report = await Keys()
            .ListAsync(new AgeCipher([stranger.Fingerprint, recipients[0].Fingerprint], null, TimeProvider.System), Cancel);

        report
            .Keys.Select(static k => (k.InConfig, k.InSnapshot, k.Snapshots, k.LastSnapshot))
            .ShouldBe([(true, true, 1, newest.Manifest.Id), (true, true, 3, newest.Manifest.Id), (false, false, 3, manifest.Id)]);
        report.Keys[2].Fingerprint.ShouldBe(publicKeys["escrow"]);
        report
            .Findings[^1]
            .Text.ShouldStartWith(
                "the snapshot 20260317T030000Z is encrypted to no key of the config. Keep the private keys of the earlier recipients, "
                    + "until it is removed"
            );
    }

    [Fact]
    public async Task Without_recipients_in_the_config_those_of_the_newest_snapshot_are_listed_and_a_store_that_is_down_is_a_warning()
    {
        await TestAsync("ops");
        await TestAsync("escrow");
        local.Fail = static _ => new PgBackupException(ErrorCode.StoreUnavailable, "no route to host");

        KeysReport report = await Keys().ListAsync(new NoCipher(), Cancel);

        report
            .Keys.Select(static k => (k.Name, k.InConfig, k.InSnapshot, k.LastTested))
            .ShouldBe([("ops", null, true, stores.Clock.Now), ("escrow", null, true, stores.Clock.Now)]);
        report.Findings.Texts().ShouldBe(["the store local does not show when keys were tested: PGB-0060: no route to host"]);
        offsite.Fail = local.Fail;
        (await Should.ThrowAsync<PgBackupException>(() => Keys().ListAsync(new NoCipher(), Cancel))).Code.ShouldBe(
            ErrorCode.StoreUnavailable
        );
    }

    [Fact]
    public async Task Recipients_of_the_config_that_cannot_be_used_are_a_warning_beside_those_of_the_snapshot()
    {
        KeysReport report = await Keys().ListAsync(new AgeCipher(["age1nobody"], null, TimeProvider.System), Cancel);

        report.Keys.Count.ShouldBe(2);
        report.Findings[0].Line.ShouldStartWith("PGB-0050: age cannot encrypt to \"age1nobody\"");
    }

    [Fact]
    public async Task A_newest_snapshot_with_one_key_is_a_warning_though_the_config_has_two_by_now()
    {
        SnapshotSample single = Of(Day(23));
        stores.Clock.Now = stores.Clock.Now.AddDays(2);
        await single.PutAsync(stores.Open("local"));
        await single.PutAsync(
            stores.Open("local"),
            SnapshotLayout.Manifest,
            (single.Manifest with { Encryption = "age", Recipients = recipients[..1] }).ToJson()
        );

        KeysReport report = await Keys()
            .ListAsync(new AgeCipher([.. recipients.Select(static r => r.Fingerprint)], null, TimeProvider.System), Cancel);

        report.Findings[^1].Text.ShouldStartWith("the newest snapshot 20260323T030000Z is encrypted to one key alone, that of ops: ");
        report.Keys[0].InSnapshot.ShouldBeTrue();
    }

    [Fact]
    public async Task After_a_drill_the_key_that_decrypts_is_told_and_a_failure_to_find_out_is_a_note()
    {
        (IReadOnlyList<KeyTest> tests, IReadOnlyDictionary<string, DateTimeOffset> last, IReadOnlyList<Finding> found) =
            await AfterDrillAsync(true, "escrow");
        (tests.ShouldHaveSingleItem().Name, tests[0].How).ShouldBe(("escrow", "drill"));
        last.ShouldBe(new Dictionary<string, DateTimeOffset> { [publicKeys["escrow"]] = stores.Clock.Now });
        found.Texts().ShouldHaveSingleItem().ShouldContain("days: ops (never). Run ");

        (tests, last, found) = await AfterDrillAsync(true, "stranger");
        (tests.Count, last.Count).ShouldBe((0, 0));
        found[0].Text.ShouldContain("PGB-0051");

        (tests, _, found) = await AfterDrillAsync(false, "ops");
        tests.ShouldBeEmpty();
        found.Texts().ShouldHaveSingleItem().ShouldContain("not tested");
    }

    private KeysOperation Keys() => new([local, offsite], stores.Clock);

    private Task<KeyTestReport> TestAsync(string who) => Keys().TestAsync(SnapshotRef.Latest, offsite, CipherFor(who), Cancel);

    private Task<IReadOnlyList<Finding>> AfterRunAsync() =>
        Keys()
            .AfterRunAsync(
                manifest,
                new AgeCipher([.. manifest.Recipients.Select(static r => r.Fingerprint)], null, TimeProvider.System),
                Cancel
            );

    private async Task<(
        IReadOnlyList<KeyTest> Tests,
        IReadOnlyDictionary<string, DateTimeOffset> Last,
        IReadOnlyList<Finding> Found
    )> AfterDrillAsync(bool restored, string who) =>
        await Keys()
            .AfterDrillAsync(restored, SnapshotId.TryParse(manifest.Id)!.Value, manifest, offsite, CipherFor(who)(manifest), Cancel);

    private Func<Manifest, ICipher> CipherFor(string who) =>
        m => new AgeCipher(
            [.. m.Recipients.Select(static r => r.Fingerprint)],
            new Identity { File = stores.Folder[who] },
            TimeProvider.System
        );
}
