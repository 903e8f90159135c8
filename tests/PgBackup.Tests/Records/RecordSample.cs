using PgBackup.Records;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Records;

/// <summary>Records.</summary>
internal static class RecordSample
{
    public static readonly DateTimeOffset Time = new(2026, 3, 1, 3, 0, 0, TimeSpan.Zero);

    public static Record Of(RecordKind kind = RecordKind.Run, DateTimeOffset? started = null) =>
        new()
        {
            Format = Record.CurrentFormat,
            Kind = kind,
            Cluster = "olympus",
            Started = started ?? Time,
            Finished = (started ?? Time).AddSeconds(12.5),
            User = "root",
            Host = "backup1",
            Tool = "0.1.0",
            Binary = new string('a', 64),
            Result = RecordResult.Ok,
            Summary = "5 databases, 12.3 MB, 2 stores; removed 1 old snapshot",
            Snapshot = "20260301T030000Z",
            Findings = [Finding.Warning(ErrorCode.KeyUntested, "ops", "the key of ops was never tested", null, "Test it")],
        };

    /// <summary>The key of the only record in a folder of a store.</summary>
    public static string OnlyKey(string storeFolder) =>
        $"records/{Path.GetFileName(Directory.GetFiles(Path.Combine(storeFolder, "records")).ShouldHaveSingleItem())}";

    /// <summary>The records in a folder of a store.</summary>
    public static IReadOnlyList<Record> AllIn(string storeFolder) =>
        Directory.Exists(Path.Combine(storeFolder, "records"))
            ?
            [
                .. Directory
                    .GetFiles(Path.Combine(storeFolder, "records"))
                    .Order(StringComparer.Ordinal)
                    .Select(static f => Record.TryRead(File.ReadAllBytes(f)).ShouldNotBeNull()),
            ]
            : [];
}
