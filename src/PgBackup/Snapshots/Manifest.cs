using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using PgBackup.Encryption;
using PgBackup.Host;
using PgBackup.Proofs;
using PgBackup.Tools;

namespace PgBackup.Snapshots;

/// <summary>
/// A snapshot's record, <c>manifest.json</c>: written last, removed first, never edited. A snapshot exists when its manifest does.
/// Times are UTC, sizes bytes, digests SHA-256 in lower-case hexadecimal.
/// </summary>
public sealed partial record Manifest
{
    /// <summary>The format that this version writes, and the newest that it reads.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The format of this record; a reader refuses a newer one.</summary>
    public required int Format { get; init; }

    /// <summary>The snapshot's id.</summary>
    public required string Id { get; init; }

    /// <summary>The cluster's name in the config.</summary>
    public required string Cluster { get; init; }

    /// <summary>The version of olympus-pgbackup that wrote it.</summary>
    public required string Tool { get; init; }

    /// <summary>The server's version.</summary>
    public required string ServerVersion { get; init; }

    /// <summary>The version of pg_dump.</summary>
    public required string DumpVersion { get; init; }

    /// <summary>
    /// The settings that word values and definitions, with which the databases were dumped; null in older snapshots, which have those of
    /// the server, role and database that they were taken of.
    /// </summary>
    public IReadOnlyDictionary<string, string>? DumpSettings { get; init; }

    /// <summary>Where it was taken from, without secrets.</summary>
    public required string Source { get; init; }

    /// <summary>When the run started.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>When the last part was stored.</summary>
    public required DateTimeOffset Finished { get; init; }

    /// <summary>
    /// An upper bound, in milliseconds, of the time between the moments of any two databases: from before the first
    /// snapshot was asked for until after the last one was exported.
    /// </summary>
    public required double SkewMs { get; init; }

    /// <summary>The word of an <see cref="EncryptionKind"/>; <see cref="Read"/> refuses any other.</summary>
    public required string Encryption { get; init; }

    /// <summary>Who encrypted its parts.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ManifestTooNew"/> when this version does not know the word.</exception>
    public EncryptionKind EncryptedBy() =>
        EncryptionKinds.TryParse(Encryption) ?? throw OfUnknownKind($"the snapshot {Id}", NewerVersion(Tool), Encryption);

    /// <summary>Who can decrypt.</summary>
    public required IReadOnlyList<Recipient> Recipients { get; init; }

    /// <summary>The globals and the databases that were stored.</summary>
    public required IReadOnlyList<Part> Parts { get; init; }

    /// <summary>The databases (or globals) that were asked for and failed.</summary>
    public required IReadOnlyList<PartFailure> Failures { get; init; }

    /// <summary>What this snapshot cannot contain (role passwords, subscriptions), and other things worth knowing.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>The databases of the config that this run was not asked to dump (<c>backup --database</c>).</summary>
    public IReadOnlyList<string> LeftOut
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>The databases that the server had, whether a backup takes them or not; null where that was not asked.</summary>
    public IReadOnlyList<string>? ServerDatabases { get; init; }

    /// <summary>The superuser that initdb made at the source (oid 10), which grants roles to others; null where that was not
    /// asked.</summary>
    public string? BootstrapSuperuser { get; init; }

    /// <summary>What is worth knowing about it and the server beside its losses: nothing failed, and somebody should look.</summary>
    public IReadOnlyList<Finding> Findings
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>What it has less of than earlier ones; empty in manifests that were written before there was this.</summary>
    public IReadOnlyList<Loss> Losses
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>What is compared anew since losses of it were settled: those of the last forty days.</summary>
    public IReadOnlyList<SettledLoss> Settled
    {
        get;
        init => field = value ?? [];
    } = [];

    /// <summary>The same as sentences, in manifests that were written before there were findings; null in others.</summary>
    [JsonPropertyName("warnings")]
    public IReadOnlyList<string>? EarlierWarnings { get; init; }

    /// <summary>The findings, those of an earlier version included.</summary>
    [JsonIgnore]
    public IReadOnlyList<Finding> AllFindings =>
        [.. Findings, .. (EarlierWarnings ?? []).Select(static w => Finding.Earlier(Severity.Warning, w))];

    /// <summary>It was compared with earlier snapshots, or there were none. Else it may lack something that nobody has seen.</summary>
    [JsonIgnore]
    public bool IsCompared => !Findings.Any(IsBlind);

    /// <summary>That a snapshot could not be compared.</summary>
    internal static bool IsBlind(Finding finding) => finding is { Code: ErrorCode.ComparisonSkipped, Severity: Severity.Warning };

    /// <summary>SHA-256 of <c>SHA256SUMS</c>; null in snapshots of earlier versions.</summary>
    public string? SumsSha256 { get; init; }

    /// <summary>SHA-256 of <c>RESTORE.md</c>; null in snapshots of earlier versions.</summary>
    public string? GuideSha256 { get; init; }

    /// <summary>Everything that the config names is in it.</summary>
    [JsonIgnore]
    public bool IsComplete => Failures.Count == 0 && LeftOut.Count == 0;

    /// <summary>Stored bytes of all parts.</summary>
    [JsonIgnore]
    public long StoredBytes => Parts.Sum(static p => p.Size);

    /// <summary>The parts that are databases.</summary>
    [JsonIgnore]
    public IEnumerable<Part> Databases => Parts.Where(static p => p.Kind == PartKind.Database);

    /// <summary>The globals, or null when they failed or were left out.</summary>
    [JsonIgnore]
    public Part? Globals => Parts.FirstOrDefault(static p => p.Kind == PartKind.Globals);

    /// <summary>The digests of its parts, as <c>sha256sum -c</c> reads them.</summary>
    [JsonIgnore]
    public string Sums => string.Concat(Parts.Select(static p => $"{p.Sha256}  {p.Object}\n"));

    /// <summary>What stands in the mark <c>INCOMPLETE</c>: what failed, and what was left out.</summary>
    [JsonIgnore]
    public string Gaps =>
        string.Concat(Failures.Select(static f => $"failed: {Foreign.Line(f.Part)} ({f.Code})\n"))
        + string.Concat(LeftOut.Select(static d => $"left out: {Foreign.Line(d)}\n"));

    /// <summary>Somebody has to look at what it has less of: a loss that is an error, and was not announced.</summary>
    [JsonIgnore]
    public bool HasLoss => Losses.Any(static l => l is { Severity: Severity.Error, IsExpected: false });

    /// <summary>What stands in the mark <c>LOSS</c>: a line for each loss that makes <see cref="HasLoss"/> true, the first hundred of
    /// them.</summary>
    [JsonIgnore]
    public string LossText => Loss.Text(Losses);

    /// <summary>The SHA-256 that a text beside the parts must have; null where that is not known.</summary>
    public string? DigestOf(string name) =>
        name switch
        {
            SnapshotLayout.Sums => SumsSha256 ?? ManifestSum.Digest(Encoding.UTF8.GetBytes(Sums)),
            SnapshotLayout.Guide => GuideSha256,
            _ => null,
        };

    /// <summary>The same record with the digests of the texts that are written beside it.</summary>
    public Manifest WithDigests(string guide) =>
        this with
        {
            SumsSha256 = ManifestSum.Digest(Encoding.UTF8.GetBytes(Sums)),
            GuideSha256 = ManifestSum.Digest(Encoding.UTF8.GetBytes(guide)),
        };

    /// <summary>As JSON in UTF-8.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, ManifestJson.Default.Manifest);

    // What a store says is data: nothing else is printed.
    [GeneratedRegex(@"\A[0-9A-Za-z.+-]{1,40}\z")]
    private static partial Regex Plain();

    /// <summary>Reads a manifest.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ManifestUnreadable"/> or
    /// <see cref="ErrorCode.ManifestTooNew"/>.</exception>
    public static Manifest Read(byte[] json, string where)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            int format = document.RootElement.GetProperty("format").GetInt32();
            string? newer = NewerVersion(TextOf(document.RootElement, "tool"));
            if (format > CurrentFormat)
            {
                throw TooNew(where, newer, $"it has format {format}, and this version ({ProductVersion.Text}) reads up to {CurrentFormat}");
            }

            // Before all else: what else a newer version writes beside a kind of its own is not known here either. From this version or an
            // older one it is damage, which ManifestRules names, and which another store may mend.
            if (
                newer is not null
                && TextOf(document.RootElement, "encryption") is { } kind
                && Plain().IsMatch(kind)
                && EncryptionKinds.TryParse(kind) is null
            )
            {
                throw OfUnknownKind(where, newer, kind);
            }

            Manifest manifest = document.RootElement.Deserialize(ManifestJson.Default.Manifest) ?? throw new JsonException("it is null");
            return ManifestRules.Problem(manifest) is { } problem ? throw new JsonException(problem) : manifest;
        }
        catch (Exception e)
            when (e
                    is JsonException
                        or KeyNotFoundException
                        or InvalidOperationException
                        or FormatException
                        or ArgumentException
                        or OverflowException
            )
        {
            throw new PgBackupException(
                ErrorCode.ManifestUnreadable,
                $"{where} cannot be read: {Reason(e)}.",
                "Its parts may still be whole: SHA256SUMS and RESTORE.md beside it do not need the manifest.",
                e
            );
        }
    }

    private static string? TextOf(JsonElement root, string name) =>
        root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    // The version that wrote a manifest, where it can be shown and is newer than this one.
    private static string? NewerVersion(string? tool) =>
        tool is not null && Plain().IsMatch(tool) && NumberOf(tool) > NumberOf(ProductVersion.Text) ? tool : null;

    // 0.2.0 of 0.2.0-beta+build.
    private static Version NumberOf(string version) =>
        Version.TryParse(version.Split('-', '+')[0], out Version? number) ? number : new Version(0, 0);

    /// <summary>The error of a kind of encryption that this version does not know.</summary>
    internal static PgBackupException OfUnknownKind(string where, string? newer, string kind) =>
        TooNew(
            where,
            newer,
            $"it is encrypted by \"{Foreign.Line(kind)}\", and this version ({ProductVersion.Text}) knows {EncryptionKinds.Known}"
        );

    private static PgBackupException TooNew(string where, string? newer, string why) =>
        new(
            ErrorCode.ManifestTooNew,
            $"{where} was made by a newer version of olympus-pgbackup{(newer is null ? "" : $", {newer}")}: {why}.",
            $"Use {(newer is null ? "that version" : $"version {newer}")} or later, or the stock commands in the RESTORE.md "
                + $"beside it. Nothing was changed."
        );

    // In words of the file, not of the library that reads it.
    private static string Reason(Exception e) =>
        e switch
        {
            JsonException { LineNumber: { } line, Path: null } => string.Create(
                CultureInfo.InvariantCulture,
                $"line {line + 1} is not JSON"
            ),
            JsonException { Path: { } path } => $"{Quotation.Line(path)} is missing, or of another kind than a manifest has there",
            JsonException => e.Message.TrimEnd('.'),
            KeyNotFoundException => "it does not say its format",
            InvalidOperationException => "it is not an object with a number as its format",
            _ => e.Message.TrimEnd('.'),
        };
}

/// <summary>One stored object of a snapshot.</summary>
public sealed record Part
{
    /// <summary>Globals, or a database.</summary>
    public required PartKind Kind { get; init; }

    /// <summary>The database's name; null for globals.</summary>
    public string? Database { get; init; }

    /// <summary>What to call it: the database's name, or <c>globals</c>.</summary>
    [JsonIgnore]
    public string Name => Database ?? Kind.Word();

    /// <summary>The object's name in the snapshot's folder.</summary>
    public required string Object { get; init; }

    /// <summary>Stored bytes (after encryption).</summary>
    public required long Size { get; init; }

    /// <summary>SHA-256 of what is stored.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Bytes before encryption.</summary>
    public required long PlainSize { get; init; }

    /// <summary>SHA-256 before encryption.</summary>
    public required string PlainSha256 { get; init; }

    /// <summary>The compression that pg_dump used; null for globals.</summary>
    public string? Compression { get; init; }

    /// <summary>The database's encoding; null for globals.</summary>
    public string? Encoding { get; init; }

    /// <summary>Whose the database's extensions were, by name: a dump does not say it. Null when it has none, and in older
    /// manifests.</summary>
    public IReadOnlyDictionary<string, string>? ExtensionOwners { get; init; }

    /// <summary>What a restored database must equal; for globals only its schema statements count.</summary>
    public required Proof Proof { get; init; }

    /// <summary>What its tables look like, by the names of the proof; null for globals, and in older manifests.</summary>
    public SortedDictionary<string, TableShape>? Tables { get; init; }

    /// <summary>How long dump, proof, encryption and storing took together.</summary>
    public required double Seconds { get; init; }

    /// <summary>What the tool said on stderr though it succeeded.</summary>
    public IReadOnlyList<string> Warnings
    {
        get;
        init => field = value ?? [];
    } = [];
}

/// <summary>A part that could not be made.</summary>
public sealed record PartFailure
{
    /// <summary>The database, or <c>globals</c>.</summary>
    public required string Part { get; init; }

    /// <summary>The error's code, <c>PGB-0021</c>.</summary>
    public required string Code { get; init; }

    /// <summary>What happened, with the tool's own lines.</summary>
    public required string Message { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true
)]
[JsonSerializable(typeof(Manifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
