using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using PgBackup.Storage.S3;

namespace PgBackup.Tests.Storage.S3;

public sealed class S3AdviceTests
{
    private static readonly S3Settings Settings = new() { Bucket = "abc" };

    [Fact]
    public void A_code_without_a_text_is_told_alone()
    {
        Why(Refusal("", "NoSuchBucket", HttpStatusCode.NotFound)).ShouldBe("NoSuchBucket");
        Why(Refusal("There is none.", "NoSuchBucket", HttpStatusCode.NotFound)).ShouldBe("NoSuchBucket: There is none.");
        Why(Refusal("", "", HttpStatusCode.BadGateway)).ShouldBe("HTTP status 502");
    }

    [Fact]
    public void Missing_credentials_are_one_sentence()
    {
        var missing = new AmazonClientException(
            "Failed to resolve AWS credentials. The credential providers returned the following errors:\n\nException 1 of 4: no "
                + "profile\nException 2 of 4: no role"
        );

        (string why, string remedy, bool transient) = S3Advice.On(missing, Settings);

        why.ShouldBe("there are no credentials for it, neither in the config nor where the AWS SDK looks.");
        remedy.ShouldStartWith("Give access_key_id and secret_access_key_file in the config");
        transient.ShouldBeFalse();
    }

    private static string Why(Exception e) => S3Advice.On(e, Settings).Why;

    private static AmazonS3Exception Refusal(string text, string code, HttpStatusCode status) =>
        new(text, ErrorType.Unknown, code, "", status);
}
