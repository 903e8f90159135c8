using System.Text.Json.Nodes;
using PgBackup.Snapshots;
using PgBackup.Tests.Operations;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;

namespace PgBackup.Tests.App;

/// <summary>Losses in list, show, check and confirm: the same finding with the same severity, until a person confirms it.</summary>
public sealed class LossFacesTests : IAsyncLifetime, IDisposable
{
    private static readonly string Red =
        $"PGB-0124: ciam_kratos: the table public.identities is gone in {Day(22)}: {Day(19)} has it, with 100 rows. "
        + $"If that was meant: `olympus-pgbackup confirm {Day(22)} --table ciam_kratos.public.identities`. If not, it is in {Day(19)}: "
        + $"`olympus-pgbackup restore {Day(19)} -d ciam_kratos --table public.identities --into-schema rescued -t TARGET -i KEY`";

    private readonly Stores stores = new();

    public async ValueTask InitializeAsync()
    {
        foreach (string name in (string[])["local", "offsite"])
        {
            await Of(Day(19)).PutAsync(stores.Open(name));
            await Of(Day(20)).WithLosses(Gone(19)).PutAsync(stores.Open(name));
            await Of(Day(22)).WithLosses(Gone(19), Shrunk(21, 40)).PutAsync(stores.Open(name));
        }

        stores.Folder.Write(
            "olympus-pgbackup.yaml",
            $"cluster: {Cluster}\nmax_age: 9000d\nencryption: none\nstores: [{{ name: local, path: {stores.Folder["local"]} }}, "
                + $"{{ name: offsite, path: {stores.Folder["offsite"]} }}]\n"
        );
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    public void Dispose() => stores.Dispose();

    [Fact]
    public async Task List_marks_each_snapshot_with_a_loss_and_says_those_of_the_newest()
    {
        AppResult result = await RunAsync("list");

        string[] lines = result.Output.Split('\n');
        lines[1].ShouldContain("complete  ");
        lines[2].ShouldContain("complete, LOSS  ");
        lines[3].ShouldContain("complete, LOSS  ");
        result.Output.ShouldContain($"\nFAILED: {Red}\n");
        result.Output.ShouldContain("FAILED: PGB-0125: ciam_kratos: the table public.identity_credentials has 40 rows");
        (result.Output.Split("FAILED").Length - 1).ShouldBe(2);
        result.ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task List_as_json_says_whether_each_has_a_loss_and_which()
    {
        JsonArray listed = JsonNode.Parse((await RunAsync("list", "--json")).Output)!.AsArray();

        listed.Select(static l => (bool)l!["unconfirmed_loss"]!).ShouldBe([false, true, true]);
        JsonNode loss = listed[2]!["losses"]![0]!;
        ((string)loss["code"]!, (string)loss["severity"]!, (string)loss["subject"]!).ShouldBe(
            ("PGB-0124", "error", "ciam_kratos.public.identities")
        );
    }

    [Fact]
    public async Task Show_says_all_losses_and_after_the_confirmation_who_confirmed_them()
    {
        (await RunAsync("show")).Output.ShouldContain($"FAILED: {Red}");
        await RunAsync("confirm", "latest", "--note", "the migration");

        string after = (await RunAsync("show")).Output;

        after.ShouldNotContain("FAILED");
        after.ShouldContain("note: PGB-0124: ciam_kratos: the table public.identities is gone");
        after.ShouldContain(": the migration\n");
    }

    [Fact]
    public async Task Check_fails_every_time_until_the_losses_are_confirmed()
    {
        for (int time = 1; time <= 2; time++)
        {
            AppResult red = await RunAsync("check");
            red.ExitCode.ShouldBe(1, $"time {time}");
            red.Output.ShouldContain($"FAILED: {Red}\n");
        }

        (await RunAsync("confirm", "latest")).ExitCode.ShouldBe(0);

        AppResult right = await RunAsync("check");
        right.ShouldBe(new AppResult(0, right.Output, ""));
        right.Output.ShouldNotContain("FAILED");
    }

    [Fact]
    public async Task Check_of_all_says_each_loss_once_with_the_newest_snapshot_that_has_it()
    {
        AppResult red = await RunAsync("check", "--all");

        red.ExitCode.ShouldBe(1);
        (red.Output.Split("FAILED").Length - 1).ShouldBe(2);
        red.Output.ShouldContain($"FAILED: {Red}\n");
    }

    [Fact]
    public async Task Check_of_an_older_one_says_its_own()
    {
        (await RunAsync("check", Day(19).ToString())).ExitCode.ShouldBe(0);
        AppResult red = await RunAsync("check", Day(20).ToString());

        red.ExitCode.ShouldBe(1);
        red.Output.ShouldContain($"confirm {Day(20)} --table ");
    }

    [Fact]
    public async Task Confirm_says_what_it_confirmed_and_what_stays_red()
    {
        AppResult result = await RunAsync("confirm", "latest", "--table", "ciam_kratos.public.identities");

        result.ExitCode.ShouldBe(0);
        string[] lines = result.Output.Split('\n');
        lines[0].ShouldStartWith($"{Day(22)}: 1 loss confirmed by ");
        lines[1].ShouldBe($"  ciam_kratos: the table public.identities is gone in {Day(22)}: {Day(19)} has it, with 100 rows");
        lines[2].ShouldBe($"{Day(22)}: NOT confirmed");
        lines[3].ShouldStartWith("  FAILED: PGB-0125: ciam_kratos: the table public.identity_credentials has 40 rows");
        lines[4].ShouldBe($"local: 1 snapshot not red any more; still red: 1 snapshot, the newest {Day(22)}");
        lines[5].ShouldBe($"offsite: 1 snapshot not red any more; still red: 1 snapshot, the newest {Day(22)}");

        (await RunAsync("list")).Output.Split('\n')[2].ShouldContain("  complete  ");
    }

    [Fact]
    public async Task Confirm_again_says_that_it_was_confirmed_already()
    {
        await RunAsync("confirm", "latest");

        AppResult again = await RunAsync("confirm", "latest");

        again.ExitCode.ShouldBe(0);
        again.Output.ShouldStartWith($"{Day(22)}: 2 losses confirmed already\n");
        again.Output.ShouldEndWith("local: nothing to mark\noffsite: nothing to mark\n");
    }

    [Fact]
    public async Task Confirm_as_json_has_the_losses_and_the_stores()
    {
        JsonNode report = JsonNode.Parse((await RunAsync("confirm", "latest", "--json", "--note", "x")).Output)!;

        report["snapshot"]!.ToString().ShouldBe(Day(22).ToString());
        report["confirmed"]!.AsArray().Select(static l => l!["kind"]!.ToString()).ShouldBe(["table_gone", "table_shrunk"]);
        report["stores"]!
            .AsArray()
            .Select(static s => ((string)s!["store"]!, (bool)s["is_whole"]!))
            .ShouldBe([("local", true), ("offsite", true)]);
        report["note"]!.ToString().ShouldBe("x");
    }

    [Theory]
    [InlineData("confirm", 2, "PGB-0002")]
    [InlineData("confirm yesterday", 2, "PGB-0002")]
    [InlineData("confirm 20260301T030000Z", 1, "PGB-0062")]
    [InlineData("confirm 20260319T030000Z", 2, "PGB-0171")]
    [InlineData("confirm latest --table olympus", 2, "PGB-0002")]
    [InlineData("confirm latest --store other", 2, "PGB-0002")]
    public async Task What_cannot_be_confirmed_is_said_with_its_code(string arguments, int exitCode, string code)
    {
        AppResult result = await RunAsync(arguments.Split(' '));

        result.Errors.ShouldStartWith($"olympus-pgbackup: {code}: ");
        (result.ExitCode, result.Output).ShouldBe((exitCode, ""));
    }

    [Fact]
    public async Task A_store_that_cannot_be_written_to_is_exit_code_3_and_the_same_again_mends_it()
    {
        Directory.Move(stores.Folder["offsite"], stores.Folder["away"]);
        stores.Folder.Write("offsite", "a file where the disk was");

        AppResult first = await RunAsync("confirm", "latest");

        first.ExitCode.ShouldBe(3);
        first.Errors.ShouldContain("olympus-pgbackup: PGB-0173: confirmed, but not every store has the record and the marks: offsite.");
        first.Output.ShouldEndWith("local: 2 snapshots not red any more\noffsite: NOT recorded\n");
        File.Delete(stores.Folder["offsite"]);
        Directory.Move(stores.Folder["away"], stores.Folder["offsite"]);

        AppResult again = await RunAsync("confirm", "latest");

        again.ExitCode.ShouldBe(0, again.Errors);
        again.Output.ShouldEndWith("local: nothing to mark\noffsite: 2 snapshots not red any more\n");
    }

    [Fact]
    public async Task What_a_store_says_in_a_loss_stays_in_its_line()
    {
        Loss odd = Gone(21) with { Database = "ciam_kratos", Table = "public.\"x\nFAILED: y\u001b[31m\"" };
        await Of(Day(22, 4)).WithLosses(odd).PutAsync(stores.Open("local"));

        foreach (string verb in (string[])["list", "show", "check", "confirm"])
        {
            string output = (await RunAsync(verb == "confirm" ? ["confirm", Day(22, 4).ToString()] : [verb])).Output;
            output.ShouldNotContain('\u001b');
            output.ShouldNotContain("\nFAILED: y");
        }
    }

    private Task<AppResult> RunAsync(params string[] arguments) => AppProcess.RunAsync(stores.Folder.Path, arguments);
}
