using PgBackup.Encryption;
using PgBackup.Operations.Keys;
using PgBackup.Storage;

namespace PgBackup.Tests.Operations.Keys;

public sealed class KeysFolderTests : IDisposable
{
    private static readonly string Rsa = "ssh-rsa " + new string('A', 700) + " ops@home";

    private readonly Stores stores = new();
    private readonly IObjectStore store;

    public KeysFolderTests() => store = stores.Open("local");

    public void Dispose() => stores.Dispose();

    [Theory]
    [InlineData("0123456789ABCDEF0123456789ABCDEF01234567")]
    [InlineData("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq")]
    [InlineData("ssh-ed25519 AAAAC3Nza/+C1= ops at home")]
    [InlineData("rsa")]
    public async Task The_last_test_of_a_key_is_known_by_a_listing_and_read_back_by_its_time(string key)
    {
        string fingerprint = key == "rsa" ? Rsa : key;
        var folder = new KeysFolder(store);
        KeyTest older = Test(fingerprint, stores.Clock.Now.AddDays(-3));
        KeyTest newer = Test(fingerprint, stores.Clock.Now.AddDays(-1)) with { How = KeyTest.ByDrill };
        await folder.RecordAsync(newer, Cancel);
        await folder.RecordAsync(older, Cancel);
        await folder.RecordAsync(Test("another", stores.Clock.Now), Cancel);

        KeysListing listing = await folder.ListAsync(stores.Clock.Now, Cancel);

        listing.LastTestOf(fingerprint).ShouldBe(newer.Time);
        listing
            .LastTestOf(fingerprint + "x")
            .ShouldBe(
                fingerprint.Contains("ssh-", StringComparison.Ordinal) && fingerprint.Count(static c => c == ' ') > 1 ? newer.Time : null
            );
        (await folder.ReadAsync(fingerprint, newer.Time, Cancel)).ShouldBe(newer);
        listing.Names.Count().ShouldBe(3);
        listing.Names.ShouldAllBe(static n => n.Length < 200);
    }

    [Fact]
    public async Task A_test_from_the_future_and_what_is_no_test_do_not_count()
    {
        var folder = new KeysFolder(store);
        await folder.RecordAsync(Test("AAAA", stores.Clock.Now.AddDays(1)), Cancel);
        foreach (
            string name in (string[])
                [
                    "tested-.json",
                    "tested-AAAA-20260301T030000.json",
                    "tested-20260301T030000Z.json",
                    "tested--20260301T030000Z.json",
                    "tested-AAAA-20260301T030000Z.jso",
                    "canary-x",
                ]
        )
        {
            await store.PutAsync("keys/" + name, new MemoryStream([1]), Cancel);
        }

        (await folder.ListAsync(stores.Clock.Now, Cancel)).LastTestOf("AAAA").ShouldBeNull();
        (await folder.ListAsync(stores.Clock.Now, Cancel)).LastTestOf("").ShouldBeNull();
        (await folder.ListAsync(stores.Clock.Now.AddDays(1), Cancel)).LastTestOf("AAAA").ShouldNotBeNull();
    }

    [Fact]
    public async Task A_record_that_is_garbage_or_far_too_large_or_of_a_newer_format_is_none()
    {
        var folder = new KeysFolder(store);
        KeyTest test = Test("AAAA", stores.Clock.Now);
        await folder.RecordAsync(test with { Format = 2 }, Cancel);
        (await folder.ReadAsync("AAAA", test.Time, Cancel)).ShouldBeNull();
        await store.PutAsync(
            "keys/tested-BBBB-20260322T040000Z.json",
            new MemoryStream([.. test.ToJson(), .. Enumerable.Repeat((byte)' ', 100_000)]),
            Cancel
        );
        (await folder.ReadAsync("BBBB", test.Time, Cancel)).ShouldBeNull();
        KeyTest.TryRead("{"u8.ToArray()).ShouldBeNull();
        KeyTest.TryRead("null"u8.ToArray()).ShouldBeNull();
    }

    [Fact]
    public void A_canary_belongs_to_a_set_of_recipients_whatever_their_order_and_names()
    {
        Recipient one = new() { Name = "ops", Fingerprint = "AAAA" };
        Recipient two = new() { Name = "escrow", Fingerprint = "BBBB" };

        string name = KeysFolder.CanaryName([one, two], ".gpg");

        name.ShouldMatch("^canary-[0-9a-f]{12}\\.gpg$");
        KeysFolder.CanaryName([two with { Name = "x" }, one, two], ".gpg").ShouldBe(name);
        KeysFolder.CanaryName([one], ".gpg").ShouldNotBe(name);
    }

    private static KeyTest Test(string fingerprint, DateTimeOffset time) =>
        new()
        {
            Format = KeyTest.CurrentFormat,
            Time = time,
            Fingerprint = fingerprint,
            Name = "ops@example.com",
            Snapshot = "20260301T030000Z",
            Store = "local",
            Host = "rehearsal",
            Tool = "0.1.0",
            How = KeyTest.ByKeysTest,
        };
}
