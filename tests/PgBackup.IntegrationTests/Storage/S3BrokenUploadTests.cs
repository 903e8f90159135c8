using System.Security.Cryptography;
using PgBackup.Storage;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>What happens to the connection while an object is sent: it is stored whole, or not at all and the caller knows.</summary>
public sealed class S3BrokenUploadTests(RadosGateway gateway) : IAsyncLifetime
{
    private const int Parts = (2 * PartMemory.BlockBytes) + 17;

    private S3Site site = null!;
    private IObjectStore store = null!;

    public static TheoryData<string, string, string> Cuts
    {
        get
        {
            var all = new TheoryData<string, string, string>();
            foreach (string cut in (string[])["before", "in", "after"])
            {
                all.Add("PUT", "backups/one/a", cut);
                all.Add("PUT", "partNumber=2", cut);
                all.Add("POST", "uploadId=", cut);
                all.Add("HEAD", "backups/one/a", cut);
            }

            return all;
        }
    }

    public async ValueTask InitializeAsync()
    {
        site = await S3Site.NewAsync(gateway);
        store = site.Store();
    }

    public ValueTask DisposeAsync() => site.DisposeAsync();

    [Theory]
    [MemberData(nameof(Cuts))]
    public async Task One_connection_that_is_cut_is_survived(string method, string path, string cut)
    {
        site.Proxy.On(method, path, FaultOf(cut));

        await StoredAsync(path == "backups/one/a" && method == "PUT" ? 1000 : Parts);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", "before", 1000)]
    [InlineData("PUT", "partNumber=2", "before", Parts)]
    [InlineData("PUT", "partNumber=2", "in", Parts)]
    [InlineData("PUT", "partNumber=2", "after", Parts)]
    [InlineData("POST", "uploadId=", "before", Parts)]
    public async Task A_connection_that_is_cut_for_ever_fails_the_upload_and_leaves_nothing(string method, string path, string cut, int size)
    {
        site.Proxy.On(method, path, FaultOf(cut), FaultProxy.Always);

        await FailedAsync(size);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 1000)]
    [InlineData("POST", "uploadId=", Parts)]
    public async Task An_object_that_is_there_is_a_success_though_the_answer_never_comes(string method, string path, int size)
    {
        site.Proxy.On(method, path, Fault.CutAfterForward, FaultProxy.Always);

        await StoredAsync(size);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 500, "InternalError", 1000)]
    [InlineData("PUT", "backups/one/a", 503, "SlowDown", 1000)]
    [InlineData("PUT", "partNumber=1", 503, "SlowDown", Parts)]
    [InlineData("POST", "?uploads", 503, "SlowDown", Parts)]
    [InlineData("POST", "uploadId=", 500, "InternalError", Parts)]
    [InlineData("HEAD", "backups/one/a", 503, "SlowDown", 1000)]
    public async Task A_busy_store_is_asked_again(string method, string path, int status, string code, int size)
    {
        site.Proxy.On(method, path, Fault.AnswerError(status, code), times: 2);

        await StoredAsync(size);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 500, "InternalError", 1000)]
    [InlineData("PUT", "backups/one/a", 503, "SlowDown", 1000)]
    [InlineData("PUT", "partNumber=2", 503, "SlowDown", Parts)]
    [InlineData("POST", "uploadId=", 500, "InternalError", Parts)]
    public async Task A_store_that_stays_busy_fails_the_upload_and_keeps_nothing(string method, string path, int status, string code, int size)
    {
        site.Proxy.On(method, path, Fault.AnswerError(status, code), FaultProxy.Always);

        (await FailedAsync(size)).Message.ShouldContain(code);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 1000)]
    [InlineData("POST", "uploadId=", Parts)]
    public async Task A_success_with_an_error_in_its_body_is_not_believed(string method, string path, int size)
    {
        site.Proxy.On(method, path, Fault.AnswerError(200, "InternalError"), FaultProxy.Always);

        await FailedAsync(size);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 1000)]
    [InlineData("POST", "uploadId=", Parts)]
    public async Task A_success_with_an_error_in_its_body_does_not_cost_the_object_that_was_there(string method, string path, int size)
    {
        await site.PutAsync("backups/one/a", "before");
        site.Proxy.On(method, path, Fault.AnswerError(200, "InternalError"), FaultProxy.Always);

        await Should.ThrowAsync<PgBackupException>(() => store.PutAsync("one/a", new MemoryStream(new byte[size]), Cancel));

        (await site.BytesAsync("backups/one/a")).ShouldBe("before"u8.ToArray());
        (await site.EverythingAsync()).ShouldBe(["backups/one/a"]);
    }

    [Theory]
    [InlineData("backups/one/a", 1000)]
    [InlineData("partNumber=2", Parts)]
    public async Task Content_that_is_damaged_on_its_way_is_refused_by_the_server_and_sent_again(string path, int size)
    {
        site.Proxy.On("PUT", path, Fault.CorruptBody);

        await StoredAsync(size);

        site.Proxy.Requests.ShouldContain(static r => r.Status == 400);
    }

    [Theory]
    [InlineData("backups/one/a", 1000)]
    [InlineData("partNumber=2", Parts)]
    public async Task Content_that_is_always_damaged_on_its_way_is_never_stored(string path, int size)
    {
        site.Proxy.On("PUT", path, Fault.CorruptBody, FaultProxy.Always);

        (await FailedAsync(size, transient: false)).Remedy.ShouldNotBeNull().ShouldContain("changes what is sent");
    }

    [Fact]
    public async Task The_reason_of_a_failed_part_is_told_and_not_that_the_others_were_given_up()
    {
        site.Proxy.On("PUT", "partNumber=1&", new Fault { Name = "slow", BytesPerSecond = 100_000 }, FaultProxy.Always)
            .On("PUT", "partNumber=3&", Fault.AnswerError(403, "AccessDenied"), FaultProxy.Always);

        (await FailedAsync(8 * PartMemory.BlockBytes, transient: false)).Message.ShouldContain("sending part 3 ");
    }

    private static Fault FaultOf(string cut) => cut switch
    {
        "before" => Fault.CutBeforeForward,
        "in" => Fault.CutInBody(100),
        _ => Fault.CutAfterForward,
    };

    private async Task StoredAsync(int size)
    {
        byte[] content = RandomNumberGenerator.GetBytes(size);

        (await store.PutAsync("one/a", new MemoryStream(content), Cancel)).ShouldBe(size);

        (await site.BytesAsync("backups/one/a")).AsSpan().SequenceEqual(content).ShouldBeTrue();
        (await site.EverythingAsync()).ShouldBe(["backups/one/a"]);
    }

    private async Task<PgBackupException> FailedAsync(int size, bool transient = true)
    {
        PgBackupException error = await Should.ThrowAsync<PgBackupException>(() => store.PutAsync("one/a", new MemoryStream(new byte[size]), Cancel));

        error.Code.ShouldBe(ErrorCode.StoreUnavailable, error.Message);
        error.IsTransient.ShouldBe(transient, error.Message);
        error.Message.ShouldContain("offsite");
        error.Remedy.ShouldNotBeNullOrEmpty();
        (await site.EverythingAsync()).ShouldBeEmpty();
        return error;
    }
}
