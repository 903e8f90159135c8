using PgBackup.Operations.Drill;
using PgBackup.Snapshots;
using PgBackup.Tests;

namespace PgBackup.IntegrationTests.Confirm;

/// <summary>A table of Kratos is dropped: from the night of it to the day on which a person has confirmed it.</summary>
public sealed class ConfirmTests
{
    private const string Lost = "ciam_kratos: the table public.identities is gone";

    [Fact]
    public async Task A_lost_table_is_red_in_every_face_and_fails_the_drill_until_a_person_confirms_it()
    {
        await using PostgresContainer source = await PostgresContainer.StartAsync("confirm");
        await source.LoadFixtureAsync("--identities", "50");
        using Workspace own = Night(source);
        string good = await own.BackupAsync();
        await own.RunAsync(0, "drill");
        IsMarked(own.Store + "-offsite", good, SnapshotLayout.Proven).ShouldBeTrue();

        await source.SqlAsync("ciam_kratos", "DROP TABLE identities CASCADE");
        string lossy = await NextAsync(own, good);

        own.Manifest(lossy).Losses.Select(static l => l.Subject).ShouldBe(["ciam_kratos.public.identities"]);
        await ShouldBeRedAsync(own, lossy);
        await ShouldFailToProveAsync(
            own,
            lossy,
            $"wrong answer to \"there are identities\": public.identities is not there, and the proven snapshot {good}"
        );
        await TheDialogueOffersAsync(own, good, lossy);

        Outcome confirmed = await own.RunAsync(0, "confirm", "latest", "--note", "the migration");
        confirmed.Output.ShouldContain($"{lossy}: 1 loss confirmed by ");
        foreach (string store in (string[])[own.Store, own.Store + "-offsite"])
        {
            IsMarked(store, lossy, SnapshotLayout.Confirmed).ShouldBeTrue();
            Directory.GetFiles(Path.Combine(store, "records"), "*-confirm-*.json").Length.ShouldBe(1);
        }

        await own.RunAsync(0, "check");
        (await own.RunAsync(0, "list")).Output.ShouldNotContain("LOSS");
        (await own.RunAsync(0, "show", lossy)).Output.ShouldContain($"note: PGB-0124: {Lost}");
        await own.RunAsync(0, "drill");
        IsMarked(own.Store + "-offsite", lossy, SnapshotLayout.Proven).ShouldBeTrue();

        // The next night starts from there.
        string next = await NextAsync(own, lossy);
        own.Manifest(next).Losses.ShouldBeEmpty();
        await own.RunAsync(0, "drill");
        (await own.RunAsync(0, "log", "--kind", "confirm")).Output.ShouldContain("the migration");
    }

    [Fact]
    public async Task A_table_that_an_earlier_version_lost_without_a_word_fails_the_drill_until_it_is_confirmed()
    {
        await using PostgresContainer source = await PostgresContainer.StartAsync("confirm-old");
        await source.LoadFixtureAsync("--identities", "20");
        using Workspace own = Night(source);
        string good = await own.BackupAsync();
        await own.RunAsync(0, "drill");
        await source.SqlAsync("ciam_kratos", "DROP TABLE identities CASCADE");
        string lossy = await NextAsync(own, good);
        foreach (string store in (string[])[own.Store, own.Store + "-offsite"])
        {
            Forget(Path.Combine(store, lossy));
        }

        await own.RunAsync(0, "check");
        await ShouldFailToProveAsync(own, lossy, Lost);
        await own.RunAsync(0, "confirm", lossy);
        await own.RunAsync(0, "drill");
        IsMarked(own.Store, lossy, SnapshotLayout.Proven).ShouldBeTrue();
    }

    [Fact]
    public async Task A_loss_that_was_announced_fails_no_drill()
    {
        await using PostgresContainer source = await PostgresContainer.StartAsync("confirm-announced");
        await source.LoadFixtureAsync("--identities", "20");
        using Workspace own = Night(source);
        string good = await own.BackupAsync();
        await own.RunAsync(0, "drill");
        await source.SqlAsync("ciam_kratos", "DROP TABLE identities CASCADE");
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        await own.RunAsync(0, "run", "--expect-loss", "ciam_kratos.public.identities");

        await own.RunAsync(0, "check");
        await own.RunAsync(0, "drill");
        string later = await NextAsync(own, good);
        await own.RunAsync(0, "drill", later);
        Directory.GetFiles(Path.Combine(own.Store, "records"), "*-confirm-*.json").Length.ShouldBe(1);
    }

    private static async Task ShouldBeRedAsync(Workspace own, string lossy)
    {
        for (int time = 0; time < 2; time++)
        {
            (await own.RunAsync(1, "check")).Output.ShouldContain($"FAILED: PGB-0124: {Lost} in {lossy}");
        }

        string list = (await own.RunAsync(0, "list")).Output;
        list.Split('\n').Single(l => l.StartsWith(lossy, StringComparison.Ordinal)).ShouldContain("complete, LOSS");
        list.ShouldContain($"FAILED: PGB-0124: {Lost} in {lossy}");
        (await own.RunAsync(0, "show")).Output.ShouldContain($"FAILED: PGB-0124: {Lost} in {lossy}");
    }

    private static async Task ShouldFailToProveAsync(Workspace own, string lossy, string because)
    {
        Outcome drill = await own.RunAsync(1, "drill", "--json");
        DrillReport report = DrillReport.TryRead(System.Text.Encoding.UTF8.GetBytes(drill.Output)).ShouldNotBeNull();
        report.Snapshot.ShouldBe(lossy);
        report.Databases.Count.ShouldBe(2, "it is restored whole");
        report.Failures.Texts().ShouldContain(t => t.StartsWith($"{Lost} in {lossy}", StringComparison.Ordinal));
        report.Failures.Texts().ShouldContain(t => t.Contains(because, StringComparison.Ordinal));
        IsMarked(own.Store, lossy, SnapshotLayout.Proven).ShouldBeFalse();
        IsMarked(own.Store + "-offsite", lossy, SnapshotLayout.Proven).ShouldBeFalse();
    }

    private static async Task TheDialogueOffersAsync(Workspace own, string good, string lossy)
    {
        Outcome dialogue = await Typist.RunAsync(own, ["restore"], ("store [1]: ", ""), ("snapshot [2]: ", Typist.EndOfInput));

        dialogue.ExitCode.ShouldNotBe(0);
        dialogue.Output.ShouldContain("complete, LOSS of ciam_kratos.public.identities");
        dialogue.Output.ShouldContain("2 is the newest complete one without a loss that nobody has confirmed.");
        dialogue.Output.IndexOf(lossy, StringComparison.Ordinal).ShouldBeLessThan(dialogue.Output.IndexOf(good, StringComparison.Ordinal));
    }

    // What a version that knew no losses would have written.
    private static void Forget(string folder)
    {
        string file = Path.Combine(folder, SnapshotLayout.Manifest);
        Manifest manifest = Manifest.Read(File.ReadAllBytes(file), file) with { Losses = [], Settled = [] };
        File.WriteAllBytes(file, manifest.ToJson());
        File.Delete(Path.Combine(folder, SnapshotLayout.ManifestSum));
        File.WriteAllText(
            Path.Combine(folder, SnapshotLayout.ManifestSum),
            $"{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(manifest.ToJson()))}  {SnapshotLayout.Manifest}\n"
        );
        File.Delete(Path.Combine(folder, SnapshotLayout.Loss));
    }

    // Ids are seconds.
    private static async Task<string> NextAsync(Workspace own, string before)
    {
        string id;
        do
        {
            await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
            id = await own.BackupAsync();
        } while (string.CompareOrdinal(id, before) <= 0);

        return id;
    }

    private static bool IsMarked(string store, string id, string mark) => File.Exists(Path.Combine(store, id, mark));

    private static Workspace Night(PostgresContainer source) =>
        new(
            $$"""
            cluster: test
            source:
              podman: {{source.Name}}
            databases: [ciam_kratos, olympus]
            encryption: none
            stores:
              - name: local
                path: STORE
              - name: offsite
                path: STORE-offsite
            drill:
              image: {{Surroundings.Image}}
            """
        );
}
