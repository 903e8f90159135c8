using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Installations;
using PgBackup.Operations;
using PgBackup.Operations.Diff;
using PgBackup.Snapshots;
using PgBackup.Storage.Local;
using PgBackup.Storage.Rclone;
using PgBackup.Storage.S3;
using PgBackup.Tests.Operations;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.Installations;

public sealed class InstallationTests : IDisposable
{
    private readonly Stores stores = new();

    public void Dispose() => stores.Dispose();

    [Fact]
    public void It_has_the_stores_of_the_config_in_their_order_and_each_is_made_once()
    {
        Installation installation = With(
            """
            - { name: local, path: /backups, keep: { all: 3d } }
            - { name: s3, s3: { bucket: backups, endpoint: "https://s3.example.com", region: r, object_lock: compliance } }
            - { name: b2, rclone: "b2:backups" }
            """
        );

        IReadOnlyList<BackupStore> all = installation.Stores();

        all.Select(static s => s.Store.Name).ShouldBe(["local", "s3", "b2"]);
        all.Select(static s => s.Store.GetType()).ShouldBe([typeof(LocalStore), typeof(S3Store), typeof(RcloneStore)]);
        all.Select(static s => s.HasObjectLock).ShouldBe([false, true, false]);
        all[0].Keep.ToString().ShouldBe("all 3d");
        installation.Store().ShouldBeSameAs(all[0]);
        installation.Store("b2").ShouldBeSameAs(all[2]);
        installation.Stores("s3").ShouldHaveSingleItem().ShouldBeSameAs(all[1]);
    }

    [Fact]
    public void A_store_that_the_config_lacks_is_told_with_those_that_it_has()
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => Local().Store("offsite"));

        (error.Code, error.Message, error.Remedy).ShouldBe((ErrorCode.Usage, "the config has no store \"offsite\".", "It has local."));
    }

    [Fact]
    public void A_snapshot_is_decrypted_as_it_was_encrypted_whatever_the_config_says_now()
    {
        Installation installation = Local("gpg: { recipients: [ops@example.com] }");
        Manifest manifest = Of(Day(22)).Manifest;

        installation.Cipher().ShouldBeOfType<GpgCipher>();
        installation.CipherFor(manifest with { Encryption = "age" }, null).ShouldBeOfType<AgeCipher>();
        installation.CipherFor(manifest with { Encryption = "none" }, null).ShouldBeOfType<NoCipher>();
    }

    [Fact]
    public void A_private_key_that_others_may_exchange_is_refused_before_it_is_used()
    {
        string key = stores.Folder.Write("key", "AGE-SECRET-KEY-1\n");
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherWrite);
        Manifest manifest = Of(Day(22)).Manifest with { Encryption = "age" };

        Should
            .Throw<PgBackupException>(() => Local().CipherFor(manifest, new Identity { File = key }))
            .Code.ShouldBe(ErrorCode.UntrustedFile);
    }

    [Theory]
    [InlineData("age: { recipients: [age1x] }", "", null, null)]
    [InlineData("age: { recipients: [age1x], identity_file: /keys/age }", "", "/keys/age", "/keys/age")]
    [InlineData("age: { recipients: [age1x], identity_file: /keys/age }", "identity_file: /keys/drill", "/keys/age", "/keys/drill")]
    [InlineData("age: { recipients: [age1x] }", "identity_file: /keys/drill", null, "/keys/drill")]
    public void A_drill_has_an_identity_of_its_own_or_the_configs(string encryption, string drill, string? usual, string? ofDrill)
    {
        Installation installation = Local(encryption, drill.Length == 0 ? "" : $"drill: {{ {drill} }}\n");

        installation.ConfiguredIdentity?.File.ShouldBe(usual);
        installation.DrillIdentity?.File.ShouldBe(ofDrill);
        (installation.ConfiguredIdentity is null, installation.DrillIdentity is null).ShouldBe((usual is null, ofDrill is null));
    }

    [Fact]
    public async Task Everything_that_it_makes_reads_its_clock()
    {
        await Of(Day(21)).PutAsync(stores.Open("local"));
        await Of(Day(22)).PutAsync(stores.Open("local"));
        await Of(Day(23)).PutAsync(stores.Open("local"));
        Installation installation = Local();

        // By the clock it is the 22nd: the snapshot of the 23rd was made under a wrong one.
        (await installation.CatalogOf(stores.Open("local")).LatestAsync(Cancel)).Id.ShouldBe(Day(22));
        (await installation.Pin(null, new Progress()).RunAsync(SnapshotRef.Latest, "kept", Cancel)).Id.ShouldBe(Day(22).ToString());
        var request = new DiffRequest { From = SnapshotRef.Previous, To = SnapshotRef.Latest };
        DiffReport diff = await installation.Diff(installation.Store().Store, new Progress()).RunAsync(request, Cancel);
        (diff.From.Name, diff.To.Name).ShouldBe((Day(21).ToString(), Day(22).ToString()));
    }

    private Installation Local(string encryption = "age: { recipients: [age1x] }", string more = "") =>
        With($"- {{ name: local, path: {stores.Folder["local"]} }}", encryption, more);

    private Installation With(string storesOfIt, string encryption = "age: { recipients: [age1x] }", string more = "") =>
        new(
            ConfigReader.ParseForBackup(
                $"cluster: olympus\nsource: {{ podman: x }}\ndatabases: [olympus]\nencryption: {{ {encryption} }}\n{more}stores:\n"
                    + $"{storesOfIt}\n",
                "test.yaml"
            ),
            stores.Clock
        );
}
