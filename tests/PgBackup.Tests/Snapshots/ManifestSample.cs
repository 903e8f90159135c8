using PgBackup.Encryption;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Tests.Proofs;

namespace PgBackup.Tests.Snapshots;

/// <summary>A manifest as a night writes it.</summary>
internal static class ManifestSample
{
    public static readonly SnapshotId Id = SnapshotId.TryParse("20260301T030000Z")!.Value;

    private static readonly string[] Odd = ["ciam_kratos", "it's \"odd\" | größe"];

    public static Manifest Of(SnapshotId id, string encryption = "gpg") =>
        new()
        {
            Format = Manifest.CurrentFormat,
            Id = id.ToString(),
            Cluster = "olympus",
            Tool = "0.1.0",
            ServerVersion = "17.2",
            DumpVersion = "17.4",
            DumpSettings = new Dictionary<string, string> { ["TimeZone"] = "UTC", ["lc_monetary"] = "C" },
            Source = "container olympus-postgres",
            Started = id.Time,
            Finished = id.Time.AddSeconds(3.5),
            SkewMs = 4.25,
            Encryption = encryption,
            Recipients = encryption switch
            {
                "gpg" =>
                [
                    new Recipient
                    {
                        Name = "ops@example.com",
                        Fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567",
                        Expires = id.Time.AddYears(70),
                    },
                    new Recipient
                    {
                        Name = "89ABCDEF0123456789ABCDEF0123456789ABCDEF",
                        Fingerprint = "89ABCDEF0123456789ABCDEF0123456789ABCDEF",
                    },
                ],
                "age" => [new Recipient { Name = "age1ops", Fingerprint = "age1ops" }],
                _ => [],
            },
            Parts = [Globals(id, Extension(encryption)), .. Odd.Select(name => Database(id, name, Extension(encryption)))],
            Failures = [],
            Notes = ["The role reader has no password:\nits hash could not be read."],
        };

    public static Manifest Incomplete(SnapshotId id) =>
        Of(id) with
        {
            Failures =
            [
                new PartFailure
                {
                    Part = "olympus",
                    Code = "PGB-0021",
                    Message = "pg_dump of olympus failed with exit code 1",
                },
            ],
        };

    public static Proof Proof(long rows) => ProofSample.Of(rows);

    private static string Extension(string encryption) => encryption == "none" ? "" : "." + encryption;

    private static Part Globals(SnapshotId id, string extension) =>
        new()
        {
            Kind = PartKind.Globals,
            Object = SnapshotLayout.GlobalsName(id, extension),
            Size = 1200,
            Sha256 = new string('1', 64),
            PlainSize = 900,
            PlainSha256 = new string('2', 64),
            Proof = Proof(0),
            Seconds = 0.2,
        };

    private static Part Database(SnapshotId id, string name, string extension) =>
        new()
        {
            Kind = PartKind.Database,
            Database = name,
            Object = SnapshotLayout.DatabaseName(id, name, extension),
            Size = 82_100_000,
            Sha256 = new string('3', 64),
            PlainSize = 82_000_000,
            PlainSha256 = new string('4', 64),
            Compression = "zstd:1",
            Encoding = "UTF8",
            Proof = Proof(1234567),
            Seconds = 3.1,
            Warnings = ["pg_dump: warning: a warning"],
        };
}
