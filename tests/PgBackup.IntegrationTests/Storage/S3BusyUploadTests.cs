using PgBackup.Storage.S3;

namespace PgBackup.IntegrationTests.Storage;

/// <summary>What a server says while an object is sent to it, and what it does not: it is stored whole, or not at all and the caller
/// knows.</summary>
public sealed class S3BusyUploadTests(RadosGateway gateway) : S3UploadFaults(gateway)
{
    [Theory]
    [InlineData("PUT", "backups/one/a", 500, "InternalError", 1000)]
    [InlineData("PUT", "backups/one/a", 503, "SlowDown", 1000)]
    [InlineData("PUT", "partNumber=1", 503, "SlowDown", Parts)]
    [InlineData("POST", "?uploads", 503, "SlowDown", Parts)]
    [InlineData("POST", "uploadId=", 500, "InternalError", Parts)]
    [InlineData("HEAD", "backups/one/a", 503, "SlowDown", 1000)]
    public async Task A_busy_store_is_asked_again(string method, string path, int status, string code, int size)
    {
        Site.Proxy.On(method, path, Fault.AnswerError(status, code), times: 2);

        await StoredAsync(size, Site.Store(change: static s => s with { Retries = 2 }));
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 500, "InternalError", 1000)]
    [InlineData("PUT", "backups/one/a", 503, "SlowDown", 1000)]
    [InlineData("PUT", "partNumber=2", 503, "SlowDown", Parts)]
    [InlineData("POST", "uploadId=", 500, "InternalError", Parts)]
    public async Task A_store_that_stays_busy_fails_the_upload_and_keeps_nothing(
        string method,
        string path,
        int status,
        string code,
        int size
    )
    {
        Site.Proxy.On(method, path, Fault.AnswerError(status, code), FaultProxy.Always);

        (await FailedAsync(size)).Message.ShouldContain(code);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 1000)]
    [InlineData("POST", "uploadId=", Parts)]
    public async Task A_success_with_an_error_in_its_body_is_not_believed(string method, string path, int size)
    {
        Site.Proxy.On(method, path, Fault.AnswerError(200, "InternalError"), FaultProxy.Always);

        await FailedAsync(size);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 1000)]
    [InlineData("POST", "uploadId=", Parts)]
    public async Task A_success_with_an_error_in_its_body_does_not_cost_the_object_that_was_there(string method, string path, int size)
    {
        await Site.PutAsync("backups/one/a", "before");
        Site.Proxy.On(method, path, Fault.AnswerError(200, "InternalError"), FaultProxy.Always);

        await Should.ThrowAsync<PgBackupException>(() => Store.PutAsync("one/a", new MemoryStream(new byte[size]), Cancel));

        (await Site.BytesAsync("backups/one/a")).ShouldBe("before"u8.ToArray());
        (await Site.EverythingAsync()).ShouldBe(["backups/one/a"]);
    }

    [Theory]
    [InlineData("backups/one/a", 1000)]
    [InlineData("partNumber=2", Parts)]
    public async Task Content_that_is_damaged_on_its_way_is_refused_by_the_server_and_sent_again(string path, int size)
    {
        Site.Proxy.On("PUT", path, Fault.CorruptBody);

        await StoredAsync(size);

        Site.Proxy.Requests.ShouldContain(static r => r.Status == 400);
    }

    [Theory]
    [InlineData("backups/one/a", 1000)]
    [InlineData("partNumber=2", Parts)]
    public async Task Content_that_is_always_damaged_on_its_way_is_never_stored(string path, int size)
    {
        Site.Proxy.On("PUT", path, Fault.CorruptBody, FaultProxy.Always);

        (await FailedAsync(size, transient: false)).Remedy.ShouldNotBeNull().ShouldContain("changes what is sent");
    }

    [Fact]
    public async Task The_reason_of_a_failed_part_is_told_and_not_that_the_others_were_given_up()
    {
        Site.Proxy.On("PUT", "partNumber=1&", new Fault { Name = "slow", BytesPerSecond = 100_000 }, FaultProxy.Always)
            .On("PUT", "partNumber=3&", Fault.AnswerError(403, "AccessDenied"), FaultProxy.Always);

        (await FailedAsync(8 * PartMemory.BlockBytes, transient: false)).Message.ShouldContain("sending part 3 ");
    }
}
