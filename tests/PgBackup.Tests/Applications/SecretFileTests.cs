using PgBackup.Applications;

namespace PgBackup.Tests.Applications;

public sealed class SecretFileTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Secrets_stand_one_a_line_whatever_the_line_ends_and_keep_their_spaces() =>
        SecretFile.Read(folder.Write("secrets", "one\r\n\n two \nthree")).Secrets.ShouldBe(["one", " two ", "three"]);

    [Theory]
    [InlineData("")]
    [InlineData("\n\r\n")]
    public void An_empty_file_is_told(string content) =>
        SecretFile.Read(folder.Write("secrets", content)).Problem.ShouldBe($"the secret_file {folder["secrets"]} is empty");

    [Fact]
    public void A_file_that_is_missing_or_a_folder_is_told_with_the_reason()
    {
        SecretFile
            .Read(folder["nowhere"])
            .Problem.ShouldNotBeNull()
            .ShouldStartWith($"the secret_file {folder["nowhere"]} cannot be read: Could not find file");
        SecretFile.Read(folder.Path).Problem.ShouldNotBeNull().ShouldStartWith($"the secret_file {folder.Path} cannot be read: ");
    }
}
