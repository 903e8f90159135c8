using System.Reflection;

namespace PgBackup.IntegrationTests.Support;

/// <summary>What <c>make test</c> says by environment variables; found by walking up where it was not asked.</summary>
internal static class Surroundings
{
    private static readonly Lazy<string> RootFolder = new(FindRoot);
    private static readonly Lazy<string> ImageName = new(FindImage);

    public static string Root => RootFolder.Value;

    public static string Image => ImageName.Value;

    public static string Binary =>
        Environment.GetEnvironmentVariable("OLYMPUS_PGBACKUP_BINARY") is { Length: > 0 } named
            ? named
            : Path.Combine(Root, "artifacts", "publish", "olympus-pgbackup");

    public static string FixtureScript => Path.Combine(Root, "tests", "fixtures", "olympus-fixture.sh");

    private static string FindRoot()
    {
        string? folder = Path.GetDirectoryName(Assembly.GetExecutingAssembly().Location);
        while (folder is not null && !File.Exists(Path.Combine(folder, "olympus-pgbackup.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("olympus-pgbackup.slnx is in no folder above the tests");
    }

    private static string FindImage()
    {
        if (Environment.GetEnvironmentVariable("OLYMPUS_PGBACKUP_TEST_IMAGE") is { Length: > 0 } named)
        {
            return named;
        }

        string image = Shell.ReadAsync(Path.Combine(Root, "eng", "postgres-image.sh"), [], seconds: 600).GetAwaiter().GetResult().Trim();
        string exports = Shell.ReadAsync(Path.Combine(Root, "eng", "podman-env.sh"), [image]).GetAwaiter().GetResult().Trim();
        const string Export = "export CONTAINERS_CONF=";
        if (exports.StartsWith(Export, StringComparison.Ordinal))
        {
            Environment.SetEnvironmentVariable("CONTAINERS_CONF", exports[Export.Length..]);
        }

        return image;
    }
}
