using PgBackup.Retention;
using PgBackup.Snapshots;

namespace PgBackup.Tests.Retention;

public sealed partial class RetentionPolicyTests
{
    private static readonly string[] AfterTwoYears =
    [
        // the first of each year
        "20240101",
        "20250101",
        // the first of each month of the last twelve
        "20250201",
        "20250301",
        "20250401",
        "20250501",
        "20250601",
        "20250701",
        "20250801",
        "20250901",
        "20251001",
        // the Mondays of the last 90 days, and the first of a month between them
        "20251006",
        "20251013",
        "20251020",
        "20251027",
        "20251101",
        "20251103",
        "20251110",
        "20251117",
        "20251124",
        "20251201",
        "20251208",
        "20251215",
        // the last 14 days, of which the last three count twice
        "20251218",
        "20251219",
        "20251220",
        "20251221",
        "20251222",
        "20251223",
        "20251224",
        "20251225",
        "20251226",
        "20251227",
        "20251228",
        "20251229",
        "20251230",
        "20251231",
    ];

    [Fact]
    public void The_default_rules_keep_37_snapshots_of_two_years_of_nights()
    {
        RetentionPlan plan = RetentionPolicy.Plan(
            RetentionRules.Default,
            Snapshot.Nights("20240101", "20251231"),
            Snapshot.Time("2025-12-31T03:05:00Z")
        );

        plan.KeptDays().ShouldBe(AfterTwoYears);
        plan.Kept.Count().ShouldBe(37);
        plan.Decisions.Count.ShouldBe(731);
        plan.BytesFreed.ShouldBe(694 * 100);
    }

    [Fact]
    public void The_newest_without_an_unconfirmed_loss_stays_and_the_tiers_go_on()
    {
        RetainedSnapshot[] nights =
        [
            .. Snapshot
                .Nights("20260301", "20260420")
                .Select(static s => s with { HasUnconfirmedLoss = s.Id.Time >= Snapshot.Time("2026-03-10T00:00:00Z") }),
        ];
        RetentionRules rules = Snapshot.Rules(all: "3d");

        RetentionPlan plan = RetentionPolicy.Plan(rules, nights, Snapshot.Time("2026-04-20T03:05:00Z"));

        plan.KeptDays().ShouldBe(["20260309", "20260418", "20260419", "20260420"]);
        plan.Kept.First().Why.ShouldBe("the newest one without an unconfirmed loss");
        plan.Kept.Last().Reasons.Select(static r => r.Kind).ShouldNotContain(KeepReasonKind.NewestWithoutLoss);

        // Confirmed, the tiers alone decide.
        RetentionPolicy
            .Plan(rules, [.. nights.Select(static s => s with { HasUnconfirmedLoss = false })], plan.Now)
            .KeptDays()
            .ShouldBe(["20260418", "20260419", "20260420"]);
    }

    [Fact]
    public void A_plan_carried_out_every_night_ends_with_the_same_snapshots()
    {
        List<RetainedSnapshot> store = [];
        foreach (RetainedSnapshot tonight in Snapshot.Nights("20240101", "20251231"))
        {
            RetentionPlan plan = RetentionPolicy.Plan(RetentionRules.Default, [.. store, tonight], tonight.Id.Time.AddMinutes(5));
            store = [.. plan.Kept.Select(static d => d.Snapshot)];
        }

        store.Select(static s => $"{s.Id.Time:yyyyMMdd}").ShouldBe(AfterTwoYears);
    }

    [Fact]
    public void Each_decision_says_why()
    {
        RetainedSnapshot[] store =
        [
            Snapshot.At("20240101"),
            Snapshot.At("20250701") with
            {
                IsPinned = true,
                IsProven = true,
            },
            Snapshot.At("20251127") with
            {
                IsReadable = false,
            },
            Snapshot.At("20251128") with
            {
                LockedUntil = Snapshot.Time("2026-02-01T00:00:00Z"),
            },
            Snapshot.At("20251202") with
            {
                IsAwaited = true,
                IsComplete = false,
            },
            Snapshot.At("20251203"),
            Snapshot.At("20251215"),
            Snapshot.At("20251230"),
            Snapshot.At("20251231") with
            {
                IsComplete = false,
            },
            Snapshot.At("20260105"),
        ];

        RetentionPlan plan = RetentionPolicy.Plan(RetentionRules.Default, store, Snapshot.Time("2025-12-31T12:00:00Z"));

        plan.Told()
            .ShouldBe([
                "0101: yearly, for ever",
                "0701: monthly until 2026-07-01; yearly, for ever; pinned; the newest proven one",
                "1127: its manifest cannot be read",
                "1128: weekly until 2026-02-26; monthly until 2026-11-28; locked until 2026-02-01",
                "1202: a replica lacks it",
                "1203: weekly until 2026-03-03; monthly until 2026-12-03",
                "1215: weekly until 2026-03-15",
                "1230: all until 2026-01-02; daily until 2026-01-13; weekly until 2026-03-30; the newest complete one",
                "1231: all until 2026-01-03; the newest one",
                "0105: all until 2026-01-08; daily until 2026-01-19; weekly until 2026-04-05; monthly until 2027-01-05; yearly, for ever; "
                    + "the newest complete one; the newest one; from the future until 2026-01-05",
            ]);
        plan.Decisions.Select(static d => d.KeptUntil)
            .ShouldBe([
                null,
                null,
                null,
                Snapshot.Time("2026-11-28T03:00:00Z"),
                null,
                Snapshot.Time("2026-12-03T03:00:00Z"),
                Snapshot.Time("2026-03-15T03:00:00Z"),
                null,
                null,
                null,
            ]);
    }

    [Fact]
    public void What_nothing_keeps_is_removed()
    {
        RetentionPlan plan = RetentionPolicy.Plan(
            Snapshot.Rules(all: "2d"),
            Snapshot.Nights("20260301", "20260305"),
            Snapshot.Time("2026-03-05T03:00:00Z")
        );

        plan.Told()
            .ShouldBe([
                "0301: nothing keeps it",
                "0302: nothing keeps it",
                "0303: nothing keeps it",
                "0304: all until 2026-03-06",
                "0305: all until 2026-03-07; the newest complete one; the newest one",
            ]);
        plan.Removed.ShouldAllBe(static d => !d.IsKept && d.KeptUntil == null);
    }

    [Fact]
    public void A_week_goes_from_monday_to_sunday_across_the_end_of_a_year_and_a_year_can_have_53()
    {
        // 2026-12-28 is the Monday of week 53 of 2026, 2027-01-04 that of week 1 of 2027.
        RetentionPlan plan = RetentionPolicy.Plan(
            Snapshot.Rules(weekly: "10w"),
            Snapshot.Nights("20261227", "20270105"),
            Snapshot.Time("2027-01-05T03:00:00Z")
        );

        plan.KeptDays().ShouldBe(["20261227", "20261228", "20270104", "20270105"]);
        plan.Decisions[^1].Why.ShouldBe("the newest complete one; the newest one");
    }

    [Fact]
    public void The_29th_of_february_ends_on_the_28th_of_the_next_year()
    {
        RetainedSnapshot[] store = [Snapshot.At("20240229"), Snapshot.At("20250115")];
        RetentionRules rules = Snapshot.Rules(monthly: "12mo", yearly: "1y");

        RetentionPolicy.Plan(rules, store, Snapshot.Time("2025-02-28T02:59:59Z")).KeptDays().First().ShouldBe("20240229");
        RetentionPolicy.Plan(rules, store, Snapshot.Time("2025-02-28T03:00:00Z")).KeptDays().ShouldBe(["20250115"]);
    }

    [Fact]
    public void The_31st_of_january_ends_with_february()
    {
        RetentionPolicy
            .Plan(Snapshot.Rules(monthly: "1mo"), [Snapshot.At("20260131")], Snapshot.Time("2026-02-01T00:00:00Z"))
            .Told()
            .ShouldBe(["0131: monthly until 2026-02-28; the newest complete one; the newest one"]);
    }

    [Fact]
    public void An_incomplete_snapshot_does_not_stand_for_its_day_but_is_kept_as_long_as_all()
    {
        RetainedSnapshot[] store =
        [
            Snapshot.At("20260301T030000Z") with
            {
                IsComplete = false,
            },
            Snapshot.At("20260301T040000Z"),
            Snapshot.At("20260301T050000Z"),
            Snapshot.At("20260310T030000Z"),
        ];
        RetentionRules rules = Snapshot.Rules(all: "3d", daily: "14d");

        RetentionPolicy.Plan(rules, store, Snapshot.Time("2026-03-04T02:00:00Z")).Kept.Count().ShouldBe(4);
        RetentionPolicy
            .Plan(rules, store, Snapshot.Time("2026-03-10T03:00:00Z"))
            .Kept.Select(static d => d.Snapshot)
            .ShouldBe([store[1], store[3]]);
    }

    [Fact]
    public void A_year_of_failures_leaves_the_last_complete_snapshot_and_the_last_proven_one()
    {
        RetainedSnapshot[] store =
        [
            .. Snapshot.Nights("20250101", "20250110").Select(static s => s with { IsProven = s.Id == Snapshot.At("20250105").Id }),
            .. Snapshot.Nights("20250111", "20260111").Select(static s => s with { IsComplete = false }),
        ];

        RetentionPolicy
            .Plan(Snapshot.Rules(all: "1d"), store, Snapshot.Time("2026-01-11T03:00:00Z"))
            .Kept.Select(static d => $"{d.Snapshot.Id.Time:yyyyMMdd} {d.Why}")
            .ShouldBe([
                "20250105 the newest proven one",
                "20250110 the newest complete one",
                "20260111 all until 2026-01-12; the newest one",
            ]);
    }

    [Fact]
    public void Proof_of_an_incomplete_snapshot_does_not_cost_the_proven_complete_one()
    {
        RetainedSnapshot[] store =
        [
            Snapshot.At("20250105") with
            {
                IsProven = true,
            },
            Snapshot.At("20250106") with
            {
                IsProven = true,
                IsComplete = false,
            },
            Snapshot.At("20250107"),
        ];

        RetentionPolicy.Plan(Snapshot.Rules(all: "1d"), store, Snapshot.Time("2026-01-11T03:00:00Z")).Kept.Count().ShouldBe(3);
    }

    [Fact]
    public void A_snapshot_of_a_wrong_clock_does_not_take_the_protection_of_the_real_newest()
    {
        RetainedSnapshot[] store =
        [
            Snapshot.At("20250105"),
            Snapshot.At("20250106") with
            {
                IsProven = true,
            },
            Snapshot.At("20990101") with
            {
                IsProven = true,
            },
        ];

        RetentionPolicy
            .Plan(Snapshot.Rules(all: "1d"), store, Snapshot.Time("2026-01-11T03:00:00Z"))
            .Told()
            .ShouldBe([
                "0105: nothing keeps it",
                "0106: the newest complete one; the newest proven one; the newest one",
                "0101: all until 2099-01-02; the newest complete one; the newest proven one; the newest one; from the future until "
                    + "2099-01-01",
            ]);
    }

    [Fact]
    public void An_unreadable_snapshot_stays_and_stands_for_nothing()
    {
        RetainedSnapshot[] store =
        [
            Snapshot.At("20250105"),
            Snapshot.At("20250106"),
            Snapshot.At("20250107") with
            {
                IsReadable = false,
                IsProven = true,
            },
        ];

        RetentionPolicy
            .Plan(Snapshot.Rules(daily: "1d"), store, Snapshot.Time("2026-01-11T03:00:00Z"))
            .Told()
            .ShouldBe(["0105: nothing keeps it", "0106: the newest complete one", "0107: the newest one; its manifest cannot be read"]);
    }

    [Fact]
    public void A_snapshot_whose_mark_contradicts_its_manifest_stays() =>
        RetentionPolicy
            .Plan(
                Snapshot.Rules(all: "1d"),
                [Snapshot.At("20250105") with { IsDisputed = true }, Snapshot.At("20250106")],
                Snapshot.Time("2026-01-11T03:00:00Z")
            )
            .Told()
            .ShouldBe(["0105: its mark contradicts its manifest", "0106: the newest complete one; the newest one"]);

    [Fact]
    public void A_lock_protects_until_it_ends()
    {
        RetainedSnapshot[] store =
        [
            Snapshot.At("20250105") with
            {
                LockedUntil = Snapshot.Time("2026-01-01T00:00:00Z"),
            },
            Snapshot.At("20250106"),
        ];

        RetentionPolicy.Plan(Snapshot.Rules(all: "1d"), store, Snapshot.Time("2025-12-31T23:59:59Z")).Kept.Count().ShouldBe(2);
        RetentionPolicy.Plan(Snapshot.Rules(all: "1d"), store, Snapshot.Time("2026-01-01T00:00:00Z")).Kept.Count().ShouldBe(1);
    }

    [Fact]
    public void Rules_without_tiers_remove_nothing_and_promise_nothing()
    {
        RetainedSnapshot[] store = Snapshot.Nights("20250105", "20250107");

        RetentionPlan plan = RetentionPolicy.Plan(new RetentionRules(), store, Snapshot.Time("2099-01-11T03:00:00Z"));

        plan.Told()
            .ShouldBe([
                "0105: no rules, for ever",
                "0106: no rules, for ever",
                "0107: the newest complete one; the newest one; no rules, for ever",
            ]);
        plan.BytesFreed.ShouldBe(0);
        RetentionPolicy.RetainUntil(new RetentionRules(), store[0].Id, true, []).ShouldBe(store[0].Id.Time);
    }

    [Fact]
    public void When_the_first_of_a_year_has_gone_one_that_is_still_there_takes_its_place()
    {
        RetentionRules rules = Snapshot.Rules(monthly: "18mo", yearly: "2y");
        RetainedSnapshot[] store = [Snapshot.At("20240101"), Snapshot.At("20240801"), Snapshot.At("20240901"), Snapshot.At("20260101")];
        DateTimeOffset now = Snapshot.Time("2026-01-01T03:00:00Z");

        RetentionPlan before = RetentionPolicy.Plan(rules, store, now);
        RetentionPlan after = RetentionPolicy.Plan(rules, [.. before.Kept.Select(static d => d.Snapshot)], now);

        before.Told().Take(3).ShouldBe(["0101: nothing keeps it", "0801: monthly until 2026-02-01", "0901: monthly until 2026-03-01"]);
        after.Told().Take(2).ShouldBe(["0801: monthly until 2026-02-01; yearly until 2026-08-01", "0901: monthly until 2026-03-01"]);
    }

    [Fact]
    public void The_lock_of_a_new_snapshot_is_the_end_of_its_longest_tier()
    {
        SnapshotId monday = Snapshot.At("20260309").Id;
        RetainedSnapshot[] store = Snapshot.Nights("20260301", "20260308");

        RetentionPolicy.RetainUntil(RetentionRules.Default, monday, true, []).ShouldBeNull();
        RetentionPolicy.RetainUntil(RetentionRules.Default, monday, true, store).ShouldBe(monday.Time.AddDays(90));
        RetentionPolicy.RetainUntil(RetentionRules.Default, monday, false, store).ShouldBe(monday.Time.AddDays(3));
        RetentionPolicy.RetainUntil(Snapshot.Rules(monthly: "1y"), monday, true, store).ShouldBe(monday.Time);
        // Its own folder may be listed already, and a later one is of no account.
        RetentionPolicy
            .RetainUntil(RetentionRules.Default, monday, true, [.. store, Snapshot.Of(monday), Snapshot.At("20260310")])
            .ShouldBe(monday.Time.AddDays(90));
    }

    [Fact]
    public void Three_in_the_morning_east_of_utc_can_fall_twice_on_one_utc_day()
    {
        // 03:00 at UTC+3 is 00:00 UTC; from the change to summer time on, at UTC+4, it is 23:00 UTC of the day before.
        RetainedSnapshot[] store =
        [
            Snapshot.At("20260327T000000Z"),
            Snapshot.At("20260328T000000Z"),
            Snapshot.At("20260328T230000Z"),
            Snapshot.At("20260329T230000Z"),
        ];

        RetentionPlan plan = RetentionPolicy.Plan(Snapshot.Rules(daily: "14d"), store, Snapshot.Time("2026-03-30T00:00:00Z"));

        plan.Removed.Select(static d => d.Snapshot).ShouldBe([store[2]]);
    }
}
