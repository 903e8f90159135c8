using PgBackup.Storage.Local;
using PgBackup.Tests.Operations;

namespace PgBackup.Tests.App;

/// <summary>keys, where nothing is encrypted to a key.</summary>
public sealed class KeysVerbWithoutKeysTests : IDisposable
{
    private readonly TestFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("keys", "none", "not encrypted")]
    [InlineData("keys test", "none", "not encrypted")]
    [InlineData("keys list", "provider", "encrypted by the store alone")]
    [InlineData("keys test", "provider", "encrypted by the store alone")]
    public async Task Without_keys_it_is_a_mistake_to_ask_for_them(string verb, string encryption, string how)
    {
        SnapshotSample plain = SnapshotSample.Of(SnapshotSample.Day(2));
        await plain.PutAsync(new LocalStore("local", folder["plain"]));
        File.WriteAllBytes(folder[$"plain/{plain.Id}/manifest.json"], (plain.Manifest with { Encryption = encryption }).ToJson());
        folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: olympus\nencryption: none\nstores: [{{ name: local, path: {folder["plain"]} }}]\n"
        );

        AppResult result = await AppProcess.RunAsync(folder.Path, verb.Split(' '));

        (result.ExitCode, result.Output).ShouldBe((2, ""));
        result.Errors.ShouldStartWith($"olympus-pgbackup: PGB-0002: there are no keys: the ");
        result.Errors.ShouldContain(how);
    }
}
