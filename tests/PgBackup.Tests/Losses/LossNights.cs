using System.Globalization;
using PgBackup.Losses;
using PgBackup.Proofs;
using PgBackup.Records;
using PgBackup.Retention;
using PgBackup.Snapshots;
using PgBackup.Tests.Snapshots;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Losses;

/// <summary>
/// A cluster whose tables a test changes, and a store of its snapshots, which are compared as a run compares them: chosen by their names,
/// with what was confirmed, and with the marks that a run sets.
/// </summary>
internal sealed class LossNights
{
    public static readonly DateTimeOffset First = new(2026, 3, 1, 3, 0, 0, TimeSpan.Zero);

    private readonly SortedDictionary<SnapshotId, (Manifest Manifest, bool HasLoss, bool IsConfirmed)> store = [];
    private readonly List<Record> records = [];

    /// <summary>By database and name.</summary>
    public Dictionary<string, Dictionary<string, LossTable>> Databases { get; } = [];

    /// <summary>What tables may lose.</summary>
    public TableClasses Classes { get; init; } = TableClasses.BuiltIn;

    /// <summary>Older versions did not write the shapes of tables.</summary>
    public bool WritesShapes { get; set; } = true;

    /// <summary>When the next snapshot is taken.</summary>
    public DateTimeOffset Now { get; set; } = First;

    /// <summary>The notes of the last comparison.</summary>
    public IReadOnlyList<Finding> Notes { get; private set; } = [];

    public int Count => store.Count;

    public LossTable this[string database, string table]
    {
        get => Databases[database][table];
        set
        {
            if (!Databases.TryGetValue(database, out Dictionary<string, LossTable>? tables))
            {
                Databases[database] = tables = [];
            }

            tables[table] = value;
        }
    }

    /// <summary>A database of a small Kratos.</summary>
    public static LossNights Kratos()
    {
        LossNights nights = new();
        nights["ciam", "public.identities"] = new(1000, "id", "traits", "state");
        nights["ciam", "public.identity_credentials"] = new(2000, "id", "config");
        nights["ciam", "public.sessions"] = new(500, "id", "token");
        nights["ciam", "public.notes"] = new(100, "id", "text");
        return nights;
    }

    /// <summary>Takes a snapshot, and goes on to the next night.</summary>
    public Manifest Take(bool complete = true, params string[] expected)
    {
        var id = SnapshotId.At(Now);
        Manifest manifest = Read(id, complete);
        List<CatalogEntry> entries = [.. store.Select(static s => Entry(s.Key, s.Value))];
        List<Manifest> earlier = [.. LossReferences.Choose(entries, Now).Select(e => store[e.Id].Manifest)];
        var confirmations = new Confirmations(records);
        LossReport found = LossRules.Of(
            manifest,
            earlier,
            Classes,
            (m, l) => (l.Severity == Severity.Error && store[SnapshotId.TryParse(m.Id)!.Value].IsConfirmed) || confirmations.Covers(m, l)
        );
        Notes = found.Notes;
        manifest = manifest with { Losses = ExpectedLosses.Mark(found.Losses, expected).Losses, Settled = found.Settled };
        // What a store gives back.
        manifest = Manifest.Read(manifest.ToJson(), "it");
        store[id] = (manifest, manifest.HasLoss, false);
        Now = Now.AddDays(1);
        return manifest;
    }

    /// <summary>Takes one that could not be compared, because the store did not answer.</summary>
    public Manifest TakeUncompared()
    {
        var id = SnapshotId.At(Now);
        Finding why = Finding.Warning(ErrorCode.ComparisonSkipped, "local", "earlier snapshots in local cannot be read");
        var manifest = Manifest.Read((Read(id, complete: true) with { Findings = [why] }).ToJson(), "it");
        store[id] = (manifest, manifest.HasLoss, false);
        Now = Now.AddDays(1);
        return manifest;
    }

    /// <summary>Takes some.</summary>
    public IReadOnlyList<Manifest> Take(int nights) => [.. Enumerable.Range(0, nights).Select(_ => Take())];

    /// <summary>A person confirms losses of a snapshot: those of the names, or all.</summary>
    public void Confirm(Manifest snapshot, params string[] subjects)
    {
        records.Add(
            new Record
            {
                Format = Record.CurrentFormat,
                Kind = RecordKind.Confirm,
                Cluster = "olympus",
                Started = Now.AddHours(-20),
                Finished = Now.AddHours(-20),
                Tool = "1.0.0",
                Result = RecordResult.Ok,
                Summary = "confirmed",
                Snapshot = snapshot.Id,
                Confirmed = [.. snapshot.Losses.Where(l => subjects.Length == 0 || subjects.Contains(l.Subject))],
            }
        );
        var all = new Confirmations(records);
        foreach ((SnapshotId id, (Manifest manifest, bool hasLoss, _)) in store.ToList())
        {
            bool settled = hasLoss && manifest.Losses.Where(static l => l.Severity == Severity.Error).All(l => all.Covers(manifest, l));
            store[id] = (manifest, hasLoss, settled);
        }
    }

    /// <summary>Removes what the rules of a store do not keep.</summary>
    public void Prune(RetentionRules rules)
    {
        IReadOnlyList<RetainedSnapshot> facts = PgBackup.Operations.BackupStore.Facts(store.Select(static s => Entry(s.Key, s.Value)));
        foreach (RetentionDecision gone in RetentionPolicy.Plan(rules, facts, Now).Removed)
        {
            store.Remove(gone.Snapshot.Id);
        }
    }

    /// <summary>The losses of a snapshot that somebody has to look at: kind and subject.</summary>
    public static IReadOnlyList<string> Red(Manifest manifest) =>
        [
            .. manifest
                .Losses.Where(static l => l is { Severity: Severity.Error, IsExpected: false })
                .Select(static l => $"{l.Kind.Word()} {l.Subject}"),
        ];

    private Manifest Read(SnapshotId id, bool complete)
    {
        Manifest sample = ManifestSample.Of(id, "none");
        Part part = sample.Databases.First();
        return sample with
        {
            Parts =
            [
                .. Databases.Select(d =>
                    part with
                    {
                        Database = d.Key,
                        Object = SnapshotLayout.DatabaseName(id, d.Key, ""),
                        Proof = part.Proof with
                        {
                            Tables = new(d.Value.ToDictionary(static t => t.Key, static t => t.Value.Proof()), StringComparer.Ordinal),
                        },
                        Tables = WritesShapes
                            ? new(d.Value.ToDictionary(static t => t.Key, static t => t.Value.Shape()), StringComparer.Ordinal)
                            : null,
                    }
                ),
            ],
            ServerDatabases = [.. Databases.Keys],
            Failures = complete
                ? []
                :
                [
                    new PartFailure
                    {
                        Part = "globals",
                        Code = "PGB-0021",
                        Message = "it failed",
                    },
                ],
        };
    }

    private static CatalogEntry Entry(SnapshotId id, (Manifest Manifest, bool HasLoss, bool IsConfirmed) stored)
    {
        Dictionary<string, long> objects = new() { [SnapshotLayout.Manifest] = 1000 };
        if (!stored.Manifest.IsComplete)
        {
            objects[SnapshotLayout.Incomplete] = 10;
        }

        if (stored.HasLoss)
        {
            objects[SnapshotLayout.Loss] = 10;
        }

        if (stored.IsConfirmed)
        {
            objects[SnapshotLayout.Confirmed] = 10;
        }

        return new CatalogEntry { Id = id, Objects = objects };
    }
}

/// <summary>A table of a test.</summary>
internal sealed record LossTable(long Rows, params string[] Columns)
{
    public string? Root { get; init; }

    public string? Date { get; init; }

    /// <summary>What its rows are.</summary>
    public string Content { get; init; } = "1";

    public TableProof Proof() =>
        new()
        {
            Rows = Rows,
            Bytes = Rows * 10,
            Digest = Rows == 0 ? new string('0', 64) : string.Create(CultureInfo.InvariantCulture, $"{Content}{Rows:x}").PadLeft(64, 'a'),
        };

    public TableShape Shape() =>
        new()
        {
            Columns = Columns,
            Root = Root,
            Date = Date,
        };
}
