using PgBackup.Configuration;

namespace PgBackup.Tests.Configuration;

/// <summary>Configs, right and wrong.</summary>
internal static class ConfigText
{
    public const string Right = """
        cluster: olympus
        source:
          podman: { container: olympus-postgres, user: backup }
        databases: [ciam_kratos, olympus]
        encryption:
          age: { recipients: [age1x, age1y], identity_file: /keys/age }
        stores:
          - { name: local, path: /backups }
        """;

    /// <summary>The right config with one piece written otherwise.</summary>
    public static string With(string piece, string instead) =>
        Right.Contains(piece, StringComparison.Ordinal)
            ? Right.Replace(piece, instead, StringComparison.Ordinal)
            : throw new ArgumentException(piece);

    /// <summary>The errors that are reported for a text, one a line, without the headline.</summary>
    public static string[] ErrorsOf(string text)
    {
        PgBackupException error = Should.Throw<PgBackupException>(() => ConfigReader.ParseForBackup(text, "test.yaml"));
        error.Code.ShouldBe(ErrorCode.ConfigInvalid);
        error.ExitCode.ShouldBe(2);
        error.Remedy.ShouldNotBeNull();
        string[] lines = error.Message.Split('\n');
        lines[0].ShouldBe($"test.yaml has {lines.Length - 1} {(lines.Length == 2 ? "error" : "errors")}:");
        return [.. lines[1..].Select(static line => line.Trim())];
    }
}
