namespace PgBackup.IntegrationTests.Storage;

/// <summary>What happens to the connection while an object is sent: it is stored whole, or not at all and the caller knows.</summary>
public sealed class S3BrokenUploadTests(RadosGateway gateway) : S3UploadFaults(gateway)
{
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

    [Theory]
    [MemberData(nameof(Cuts))]
    public async Task One_connection_that_is_cut_is_survived(string method, string path, string cut)
    {
        Site.Proxy.On(method, path, FaultOf(cut));

        await StoredAsync(path == "backups/one/a" && method == "PUT" ? 1000 : Parts);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", "before", 1000)]
    [InlineData("PUT", "partNumber=2", "before", Parts)]
    [InlineData("PUT", "partNumber=2", "in", Parts)]
    [InlineData("PUT", "partNumber=2", "after", Parts)]
    [InlineData("POST", "uploadId=", "before", Parts)]
    public async Task A_connection_that_is_cut_for_ever_fails_the_upload_and_leaves_nothing(
        string method,
        string path,
        string cut,
        int size
    )
    {
        Site.Proxy.On(method, path, FaultOf(cut), FaultProxy.Always);

        await FailedAsync(size);
    }

    [Theory]
    [InlineData("PUT", "backups/one/a", 1000)]
    [InlineData("POST", "uploadId=", Parts)]
    public async Task An_object_that_is_there_is_a_success_though_the_answer_never_comes(string method, string path, int size)
    {
        Site.Proxy.On(method, path, Fault.CutAfterForward, FaultProxy.Always);

        await StoredAsync(size);
    }

    private static Fault FaultOf(string cut) =>
        cut switch
        {
            "before" => Fault.CutBeforeForward,
            "in" => Fault.CutInBody(100),
            _ => Fault.CutAfterForward,
        };
}
