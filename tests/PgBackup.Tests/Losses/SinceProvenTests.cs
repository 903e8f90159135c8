using PgBackup.Losses;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Tests.Operations;
using static PgBackup.Tests.Losses.LossSample;
using static PgBackup.Tests.Operations.SnapshotSample;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Losses;

public sealed class SinceProvenTests
{
    private static readonly Manifest Proven = Of(Day(1)).WithTable("ciam_kratos", "public.identity_credentials", 100).Manifest;
    private static readonly Manifest Now = Of(Day(22)).Manifest;
    private static readonly Loss Lost = Of(LossKind.TableGone, "public.identity_credentials", 100, 0, 1);

    [Fact]
    public void A_table_that_the_proven_snapshot_had_is_missed_though_the_later_one_says_no_loss()
    {
        JudgedLoss gone = Judge(Now).Gone().Single();

        gone.Loss.ShouldBe(Lost);
        (gone.IsRed, gone.Snapshot).ShouldBe((true, Day(22).ToString()));
        Judge(Now).Had("ciam_kratos").ShouldBe(["identities", "With Space", "identity_credentials"], ignoreOrder: true);
        Judge(Now).Had("unknown").ShouldBeEmpty();
    }

    [Fact]
    public void A_database_that_it_had_is_missed_too()
    {
        Manifest without = Now with { Parts = [.. Now.Parts.Where(static p => p.Database != "ciam_kratos")] };

        Judge(without).Gone().Select(static l => (l.Loss.Kind, l.Loss.Subject)).ShouldBe([(LossKind.DatabaseGone, "ciam_kratos")]);
        Judge(without with { LeftOut = ["ciam_kratos"] }).Gone().ShouldBeEmpty();
    }

    [Fact]
    public void What_shrank_is_left_to_the_night() =>
        Judge(Of(Day(22)).WithTable("ciam_kratos", "public.identity_credentials", 3).Manifest).Gone().ShouldBeEmpty();

    [Fact]
    public void What_the_snapshot_says_itself_is_not_said_twice()
    {
        Judge(Now with { Losses = [Lost with { Since = Day(21).ToString() }] }).Gone().ShouldBeEmpty();
        Judge(Now with { Losses = [Lost with { Since = Day(21).ToString(), IsExpected = true }] }).Gone().ShouldBeEmpty();
    }

    [Fact]
    public void What_a_person_has_confirmed_is_settled_in_all_later_ones_and_not_asked_about()
    {
        SinceProven since = Judge(Now, Confirmation(5, Lost with { Since = Day(4).ToString() }));

        since.Gone().Single().IsSettled.ShouldBeTrue();
        since.Had("ciam_kratos").ShouldNotContain("identity_credentials");
        Judge(Now, Confirmation(5, Lost with { Table = "public.other" })).Gone().Single().IsRed.ShouldBeTrue();
    }

    [Fact]
    public void What_the_snapshot_hands_on_as_settled_after_the_proven_one_is_settled()
    {
        Manifest handed = Now with { Settled = [Handed(5)] };
        Manifest before = Now with { Settled = [Handed(1)] };
        Manifest whole = Now with { Settled = [Handed(5) with { Table = null }] };
        Manifest column = Now with { Settled = [Handed(5) with { Column = "config" }] };

        Judge(handed).Gone().Single().IsSettled.ShouldBeTrue();
        Judge(handed).Had("ciam_kratos").ShouldNotContain("identity_credentials");
        Judge(whole).Gone().Single().IsSettled.ShouldBeTrue();
        Judge(before).Gone().Single().IsRed.ShouldBeTrue("the proven one had it after that");
        Judge(column).Gone().Single().IsRed.ShouldBeTrue("only a column of it was settled");
    }

    [Fact]
    public void Columns_are_known_where_the_proven_one_says_them()
    {
        Manifest shaped = Proven with
        {
            Parts =
            [
                .. Proven.Parts.Select(static p =>
                    p.Database == "ciam_kratos"
                        ? p with
                        {
                            Tables = new SortedDictionary<string, TableShape>(StringComparer.Ordinal)
                            {
                                ["public.identities"] = new TableShape { Columns = ["id", "traits"] },
                            },
                        }
                        : p
                ),
            ],
        };
        Loss traits = Lost with { Kind = LossKind.ColumnGone, Table = "public.identities", Column = "traits" };

        Judge(Now, shaped).Had("ciam_kratos").ShouldContain("identities.traits");
        IReadOnlySet<string> had = Judge(Now with { Losses = [traits with { IsExpected = true }] }, shaped).Had("ciam_kratos");
        had.ShouldContain("identities.id");
        had.ShouldNotContain("identities.traits");
    }

    [Fact]
    public async Task The_newest_proven_one_before_it_that_can_be_read_is_taken()
    {
        using var stores = new Stores();
        var catalog = new Catalog(stores.Open("local"), stores.Clock);
        (await SinceProven.FindAsync(catalog, Day(22), Cancel)).ShouldBeNull();
        foreach (int day in (int[])[1, 5, 9, 22, 23])
        {
            await Of(Day(day)).PutAsync(catalog.Store, proven: day != 5);
        }

        stores.Cut("local", $"{Day(9)}/manifest.json");

        (await SinceProven.FindAsync(catalog, Day(22), Cancel))!.Id.ShouldBe(Day(1).ToString());
    }

    private static SettledLoss Handed(int day) =>
        new()
        {
            Database = "ciam_kratos",
            Table = "public.identity_credentials",
            Snapshot = Day(day).ToString(),
        };

    private static SinceProven Judge(Manifest now, params Record[] confirmed) => Judge(now, Proven, confirmed);

    private static SinceProven Judge(Manifest now, Manifest proven, params Record[] confirmed)
    {
        var confirmations = new Confirmations(confirmed);
        return new SinceProven(proven, now, LossSurvey.Of(now, confirmations), confirmations);
    }
}
