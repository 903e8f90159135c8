using PgBackup.Configuration;
using PgBackup.Installations;
using PgBackup.Operations.Doctor;
using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>What a doctor says of a real bucket: of its policy, its room, its encryption and its lock.</summary>
public sealed class DoctorStoreTests(RadosGateway gateway)
{
    [Fact]
    public async Task A_bucket_that_does_all_that_it_should_has_nothing_above_a_note_and_nothing_left_in_it()
    {
        await using S3Site site = await S3Site.NewAsync(gateway);

        DoctorReport report = await ExamineAsync(gateway.Settings(site.Bucket, "backups"));

        report.Findings.Where(static f => f.Severity > Severity.Note).Select(static f => f.Line).ShouldBeEmpty();
        (await site.EverythingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_probe_is_not_locked_in_a_bucket_with_object_lock()
    {
        await using S3Site site = await S3Site.NewAsync(gateway, objectLock: true);

        DoctorReport report = await ExamineAsync(gateway.Settings(site.Bucket, "backups") with { ObjectLock = "COMPLIANCE" });

        report.Findings.Select(static f => f.Line).ShouldBeEmpty();
        (await site.VersionsAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_bucket_without_the_lock_that_the_config_asks_for()
    {
        string bucket = await gateway.NewBucketAsync();

        Finding error = Error(await ExamineAsync(gateway.Settings(bucket) with { ObjectLock = "COMPLIANCE" }));

        error.What.ShouldContain("has no object lock, which object_lock: asks for");
        error.Fix.ShouldNotBeNull().ShouldContain("aws s3api create-bucket --object-lock-enabled-for-bucket");
    }

    [Fact]
    public async Task A_store_that_does_not_encrypt_though_it_was_asked_to()
    {
        S3Settings asked = gateway.Settings(await gateway.NewBucketAsync()) with { Encryption = "AES256" }; // which radosgw ignores

        Finding warning = (await ExamineAsync(asked)).Findings.Single(static f => f.Code == ErrorCode.StoreNotEncrypting);
        warning.Severity.ShouldBe(Severity.Warning);
        warning.Fix.ShouldNotBeNull().ShouldContain("encryption: gpg or age");

        Finding error = Error(await ExamineAsync(asked with { RequireEncryption = true }));
        (error.Code, error.Subject).ShouldBe((ErrorCode.StoreNotEncrypting, "offsite"));
    }

    [Fact]
    public async Task A_full_bucket()
    {
        await using S3Site site = await S3Site.NewAsync(gateway);
        await site.PutAsync("other", "something");
        await gateway.LimitAsync(site.Bucket, 4096);

        Error(await ExamineAsync(gateway.Settings(site.Bucket))).Fix.ShouldNotBeNull().ShouldContain("raise the quota, or keep less");
    }

    [Fact]
    public async Task A_key_that_only_reads()
    {
        string bucket = await gateway.NewBucketAsync();

        Finding error = Error(await ExamineAsync(gateway.Settings(bucket, user: await gateway.ReadOnlyUserAsync())));

        error.Fix.ShouldNotBeNull().ShouldStartWith("Allow s3:PutObject in the policy of the key or bucket.");
    }

    [Theory]
    [InlineData("s3:ListBucket", ErrorCode.StoreUnavailable)]
    [InlineData("s3:DeleteObject", ErrorCode.StoreUndeletable)]
    public async Task A_policy_that_is_too_narrow_is_named_with_the_right_that_it_lacks(string lacking, ErrorCode code)
    {
        string bucket = await gateway.NewBucketAsync();
        S3User user = await gateway.NewUserAsync();
        string[] all =
        [
            "s3:GetObject",
            "s3:PutObject",
            "s3:ListBucket",
            "s3:DeleteObject",
            "s3:AbortMultipartUpload",
            "s3:ListBucketMultipartUploads",
        ];
        await gateway.GrantAsync(bucket, user, [.. all.Where(a => a != lacking)]);

        Finding error = (await ExamineAsync(gateway.Settings(bucket, user: user))).Findings.First(static f => f.Severity == Severity.Error);

        error.Code.ShouldBe(code);
        error.Fix.ShouldNotBeNull().ShouldContain($"Allow {lacking} in the policy");
    }

    [Fact]
    public async Task A_bucket_and_a_secret_that_are_wrong()
    {
        S3Settings settings = gateway.Settings(await gateway.NewBucketAsync());

        Error(await ExamineAsync(settings with { Bucket = "no-such-bucket" })).Fix.ShouldNotBeNull().ShouldContain("Check bucket:");
        Error(await ExamineAsync(settings with { SecretKey = "wrong" }))
            .Fix.ShouldNotBeNull()
            .ShouldContain("The secret key is not the one");
    }

    [Fact]
    public async Task Two_stores_that_are_one_bucket_are_found_out_by_what_they_hold()
    {
        await using S3Site site = await S3Site.NewAsync(gateway);
        S3Settings settings = gateway.Settings(site.Bucket, "backups");

        DoctorReport report = await ExamineAsync(settings, settings with { Endpoint = new Uri(site.Proxy.Endpoint) });

        report.Findings.Where(static f => f.Code == ErrorCode.StoresAreOne).Select(static f => f.Subject).ShouldBe(["offsite", "third"]);
    }

    private static Finding Error(DoctorReport report) =>
        report.Findings.Where(static f => f.Severity == Severity.Error).ShouldHaveSingleItem();

    private static Task<DoctorReport> ExamineAsync(params S3Settings[] buckets)
    {
        BackupConfig config = ConfigReader.ParseStores(
            "cluster: test\nencryption: none\nstores: [{ name: local, path: /nowhere }]\n",
            "config"
        );
        string[] names = ["offsite", "third"];
        config = config with
        {
            Encryption = config.Encryption with { Kind = Encryption.EncryptionKind.Provider },
            Stores = [.. buckets.Select((b, i) => new StoreConfig { Name = names[i], S3 = b })],
        };
        return new Installation(config, TimeProvider.System).Doctor().RunAsync([DoctorArea.Stores], TestContext.Current.CancellationToken);
    }
}
