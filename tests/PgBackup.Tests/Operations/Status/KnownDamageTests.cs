using PgBackup.Operations.Status;
using PgBackup.Records;
using PgBackup.Tests.Records;
using Record = PgBackup.Records.Record;

namespace PgBackup.Tests.Operations.Status;

/// <summary>What checks found damaged stays in sight until a later one finds it right.</summary>
public sealed class KnownDamageTests
{
    private const string Id = "20260321T030000Z";
    private static readonly DateTimeOffset Noon = new(2026, 3, 21, 12, 0, 0, TimeSpan.Zero);

    private readonly Record damage = Of(0) with
    {
        Kind = RecordKind.Damage,
        Result = RecordResult.Failed,
        Depth = CheckDepth.ReadData,
        Findings = [Finding.Error(ErrorCode.ObjectDamaged, $"local/{Id}", $"{Id} in local is damaged: a.dump: its digest is wrong")],
    };

    [Fact]
    public void Damage_is_red_with_where_it_is_and_the_command_that_mends_it()
    {
        Finding found = Left(damage).ShouldHaveSingleItem();

        (found.Severity, found.Code, found.Subject).ShouldBe((Severity.Error, ErrorCode.ObjectDamaged, "local"));
        found.What.ShouldBe($"the check of 2026-03-21 12:00 UTC found: {Id} in local is damaged: a.dump: its digest is wrong");
        found.Fix.ShouldNotBeNull().ShouldStartWith($"`olympus-pgbackup check {Id} --read-data --repair`");
    }

    [Theory]
    [InlineData(CheckDepth.ReadData, null, null, true)]
    [InlineData(CheckDepth.Decode, Id, "local", true)]
    [InlineData(CheckDepth.Present, null, null, false)]
    [InlineData(null, null, null, false)]
    [InlineData(CheckDepth.ReadData, "20260322T030000Z", null, false)]
    [InlineData(CheckDepth.ReadData, null, "offsite", false)]
    public void Only_a_later_check_of_the_same_bytes_at_least_as_deep_settles_it(CheckDepth? depth, string? id, string? store, bool settles)
    {
        Record later = Of(1) with { Depth = depth, Snapshot = id, Store = store };

        Left(later, damage).Any().ShouldBe(!settles);
        Left(damage, later with { Started = Noon.AddDays(-1) }).ShouldHaveSingleItem();
    }

    [Fact]
    public void A_repair_settles_what_it_mended_and_keeps_what_it_could_not()
    {
        Record repair = Of(1) with { Kind = RecordKind.Repair, Depth = CheckDepth.ReadData };

        Left(damage, repair).ShouldBeEmpty();
        Left(damage, repair with { Findings = damage.Findings }).ShouldHaveSingleItem();
    }

    [Fact]
    public void A_check_that_could_not_read_the_store_settles_nothing_in_it()
    {
        Finding away = Finding.Error(ErrorCode.StoreUnavailable, "local", "the disk is gone");

        Left(damage, Of(1) with { Depth = CheckDepth.Decode, Findings = [away with { Code = ErrorCode.ToolMissing }] })
            .ShouldHaveSingleItem();
        Left(damage, Of(1) with { Depth = CheckDepth.Decode, Findings = [away] }).ShouldHaveSingleItem();
        Left(damage, Of(1) with { Depth = CheckDepth.Decode, Findings = [away with { Subject = "offsite" }] }).ShouldBeEmpty();
    }

    [Fact]
    public void What_is_no_longer_in_the_store_is_settled_by_that()
    {
        KnownDamage.Of([damage], static (store, id) => store == "local" && id == Id).ShouldBeEmpty();
        KnownDamage.Of([damage], static (store, _) => store == "offsite").ShouldHaveSingleItem();
    }

    [Fact]
    public void Damage_of_a_canary_is_of_the_store_and_any_check_of_that_store_looks_at_it()
    {
        Record canary = damage with
        {
            Snapshot = Id,
            Findings = [Finding.Error(ErrorCode.ObjectDamaged, "local", "local: keys/canary-1.age: its digest is wrong")],
        };

        Left(canary).ShouldHaveSingleItem().Fix.ShouldNotBeNull().ShouldContain("check --all --read-data --repair");
        Left(canary, Of(1) with { Depth = CheckDepth.ReadData, Snapshot = "20260322T030000Z" }).ShouldBeEmpty();
    }

    [Fact]
    public void More_than_five_places_are_counted_and_a_forged_name_is_no_command()
    {
        Finding[] many =
        [
            .. Enumerable.Range(1, 8).Select(static n => Finding.Error(ErrorCode.ObjectDamaged, $"local/$(rm -rf {n})", "x")),
        ];

        Finding[] left = [.. Left(damage with { Findings = many })];

        left.Length.ShouldBe(6);
        left[5].What.ShouldBe("checks found damage in 3 more places");
        left.ShouldAllBe(static f => !f.Fix!.Contains("rm -rf", StringComparison.Ordinal));
    }

    [Fact]
    public void The_last_check_that_could_not_look_is_a_warning_with_its_reason()
    {
        Record failed = Of(1) with
        {
            Result = RecordResult.Failed,
            Findings = [Finding.Error(ErrorCode.IdentityUnusable, "x", "no key fits")],
        };

        KnownDamage.OfLast(failed).ShouldNotBeNull().Why.ShouldBe("no key fits");
        KnownDamage.OfLast(failed with { Depth = CheckDepth.Present }).ShouldBeNull();
        KnownDamage.OfLast(Of(1)).ShouldBeNull();
        KnownDamage.OfLast(null).ShouldBeNull();
    }

    private static IEnumerable<Finding> Left(params IReadOnlyList<Record> records) => KnownDamage.Of(records, static (_, _) => false);

    private static Record Of(int days) =>
        RecordSample.Of(RecordKind.Check, Noon.AddDays(days)) with
        {
            Findings = [],
            Snapshot = null,
            Store = null,
        };
}
