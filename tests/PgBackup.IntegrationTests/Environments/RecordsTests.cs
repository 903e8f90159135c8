using System.Text;
using PgBackup.Records;
using Record = PgBackup.Records.Record;

namespace PgBackup.IntegrationTests.Environments;

/// <summary>Each verb that does something leaves one record in both stores, and none of them holds a secret.</summary>
[Collection("bad days")]
public sealed class RecordsTests(BadDaysCluster cluster)
{
    private const string Password = "s3cret-of-the-source";

    [Fact]
    public async Task Each_use_is_one_record_in_every_store_and_none_holds_a_secret()
    {
        using Workspace own = WithTwoStores();
        own.SetEnvironment("PGPASSWORD", Password);
        own.SetEnvironment("SUDO_USER", "alice");
        string id = await own.BackupAsync();
        await own.RunAsync(0, "backup", "--pin", "before the migration");
        await own.RunAsync(0, "pin", id, "--note", "the audit");
        await own.RunAsync(0, "unpin", id);
        await own.RunAsync(0, "prune");
        await own.RunAsync(0, "prune", "--dry-run");
        await own.RunAsync(
            0,
            "keys",
            "test",
            id,
            "--identity",
            cluster.Keys.EscrowSecret,
            "--passphrase-file",
            cluster.Keys.EscrowPassphrase
        );
        await own.RunAsync(1, "keys", "test", id, "--identity", cluster.Keys.StrangerSecret);
        await own.RunAsync(1, "restore", id, "--identity", cluster.Keys.OpsSecret, "-t", $"postgres://postgres:{Password}@127.0.0.1:1/");
        await own.RunAsync(2, "restore", id);
        await own.RunAsync(0, "check");
        await own.RunAsync(0, "drill", id, "--identity", cluster.Keys.OpsSecret);

        IReadOnlyList<Record> records = Both(own);

        records
            .Select(static r => $"{r.Kind.Word()} {r.Result.Word()}")
            .ShouldBe(
                [
                    "run ok",
                    "run ok",
                    "pin ok",
                    "unpin ok",
                    "prune ok",
                    "key-test ok",
                    "key-test failed",
                    "restore failed",
                    "check ok",
                    "drill ok",
                ],
                ignoreOrder: true
            );
        records.ShouldAllBe(static r => r.User!.EndsWith("(sudo by alice)") && r.Host == Environment.MachineName && r.Binary!.Length == 64);
        records[0].Snapshot.ShouldBe(id);
        records[0].Summary.ShouldStartWith("1 database, ");
        records[0].Summary.ShouldContain(", 2 stores");
        string all = Everything(own);
        foreach (string secret in (string[])[Password, Keys.Passphrase, "AGE-SECRET-KEY", "PRIVATE KEY"])
        {
            all.ShouldNotContain(secret, Case.Sensitive);
        }

        all.ShouldNotMatch(@"://[^/@\s]*:[^/@\s]*@"); // a URL with a password

        string log = (await own.RunAsync(0, "log")).Output;
        log.Trim().Split('\n').Length.ShouldBe(1 + records.Count);
        log.ShouldContain("restore into a server: failed (PGB-");
        (await own.RunAsync(0, "drill", "--show")).Output.ShouldContain("PASSED");
    }

    [Fact]
    public async Task A_run_that_fails_or_is_stopped_is_a_record_that_says_so()
    {
        using Workspace own = WithTwoStores();
        await own.BackupAsync();
        string config = own.Config();
        own.Configure(config.Replace(cluster.Server.Name, "no-such-container", StringComparison.Ordinal));
        await own.RunAsync(1);
        own.Configure(config);
        using (var hold = new Hold(own))
        {
            await using RunningProgram run = own.Start();
            await hold.EnteredAsync(1);
            await run.SignalAsync("TERM");
            (await run.EndAsync()).ExitCode.ShouldBe(1);
        }

        IReadOnlyList<Record> records = Both(own);

        records.Select(static r => r.Result).ShouldBe([RecordResult.Ok, RecordResult.Failed, RecordResult.Failed]);
        records[1].Findings.ShouldHaveSingleItem().Severity.ShouldBe(Severity.Error);
        records[1].Summary.ShouldBe($"nightly run: failed ({PgBackupException.CodeTextOf(records[1].Findings[0].Code)})");
        (records[2].Summary, records[2].Findings.ShouldHaveSingleItem().Code).ShouldBe(("nightly run: cancelled", ErrorCode.Cancelled));
    }

    [Fact]
    public async Task A_restore_from_stores_that_nobody_may_write_to_works_as_ever_and_says_that_it_is_not_recorded()
    {
        using Workspace own = WithTwoStores();
        string id = await own.BackupAsync();
        string[] restore = ["restore", id, "--identity", cluster.Keys.OpsSecret, "-t", cluster.Server.Target, "-d", "tiny", "--as"];
        Outcome recorded = await own.RunAsync(0, [.. restore, "tiny_recorded"]);
        Directory.Move(Path.Combine(own.Store, "records"), Path.Combine(own.Store, "records-away"));
        await File.WriteAllTextAsync(Path.Combine(own.Store, "records"), "", TestContext.Current.CancellationToken); // root heeds no mode
        Directory.Delete(own.Store + "-offsite", recursive: true);

        Outcome unrecorded = await own.RunAsync(0, [.. restore, "tiny_unrecorded"]);

        await cluster.Server.SqlAsync("postgres", "DROP DATABASE tiny_recorded");
        await cluster.Server.SqlAsync("postgres", "DROP DATABASE tiny_unrecorded");
        unrecorded.Output.ShouldContain("restored and proven equal: 1 database");
        unrecorded.Errors.ShouldContain("note: PGB-0190: local: the record of this restore could not be written");
        unrecorded.Errors.ShouldContain("note: PGB-0190: offsite: the record of this restore could not be written");
        recorded.Errors.ShouldNotContain("PGB-0190");
        Directory.Exists(own.Store + "-offsite").ShouldBeFalse();
        Record record = RecordsIn(Path.Combine(own.Store, "records-away")).Single(static r => r.Kind == RecordKind.Restore);
        (record.Kind, record.Result, record.Snapshot, record.Store).ShouldBe((RecordKind.Restore, RecordResult.Ok, id, "local"));
        record.Summary.ShouldBe($"restore into {cluster.Server.Target}: 1 database, restored and equal");
    }

    private Workspace WithTwoStores() =>
        new(
            $$"""
            cluster: test
            source:
              podman: { container: {{cluster.Server.Name}}, user: postgres }
            databases: [tiny]
            encryption: {{Workspace.Gpg(cluster.Keys, Keys.Ops, Keys.Escrow)}}
            drill: { image: {{Surroundings.Image}} }
            stores:
              - { name: local, path: STORE, keep: { all: 14d } }
              - { name: offsite, path: STORE-offsite, keep: { all: 14d } }
            """
        );

    // The same, byte by byte, in both stores.
    private static IReadOnlyList<Record> Both(Workspace own)
    {
        IReadOnlyList<Record> records = RecordsIn(Path.Combine(own.Store, "records"));
        Files(Path.Combine(own.Store + "-offsite", "records")).ShouldBe(Files(Path.Combine(own.Store, "records")));
        return records;
    }

    // In the order in which they were begun: names of one second are in no order.
    private static IReadOnlyList<Record> RecordsIn(string folder) =>
        [
            .. Files(folder)
                .Select(static f => Record.TryRead(Encoding.UTF8.GetBytes(f.Text)).ShouldNotBeNull())
                .OrderBy(static r => r.Started),
        ];

    private static (string Name, string Text)[] Files(string folder) =>
        [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal).Select(static f => (Path.GetFileName(f), File.ReadAllText(f)))];

    private static string Everything(Workspace own) => string.Concat(Files(Path.Combine(own.Store, "records")).Select(static f => f.Text));
}
