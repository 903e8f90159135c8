using PgBackup.Encryption;
using PgBackup.Operations.Keys;

namespace PgBackup.Tests.Operations.Keys;

public sealed class KeyFindingsTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 22, 4, 0, 0, TimeSpan.Zero);
    private static readonly Recipient Ops = new() { Name = "ops@example.com", Fingerprint = "AAAA" };
    private static readonly Recipient Escrow = new() { Name = "escrow@example.com", Fingerprint = "BBBB" };

    [Fact]
    public void Two_keys_that_last_and_were_tested_are_nothing_to_worry_about() =>
        Warn([Ops with { Expires = Now.AddDays(60) }, Escrow], ("AAAA", 0), ("BBBB", 90)).ShouldBeEmpty();

    [Fact]
    public void Where_nobody_is_a_recipient_there_is_nothing_to_say() => Warn([]).ShouldBeEmpty();

    [Fact]
    public void One_key_alone_is_a_warning_and_so_is_the_same_key_twice()
    {
        string warning = Warn([Ops], ("AAAA", 1)).ShouldHaveSingleItem();

        warning.ShouldStartWith("encrypted to one key alone, that of ops@example.com: ");
        Warn([Ops, Ops with { Name = "AAAA" }], ("AAAA", 1)).ShouldBe([warning]);
        Recipient ssh = new() { Name = "ssh-ed25519 AAAAC3 ops", Fingerprint = "ssh-ed25519 AAAAC3 ops" };
        KeyFindings.Of([ssh, ssh with { Fingerprint = "ssh-ed25519 AAAAC3" }], Now).Count.ShouldBe(1);
    }

    [Fact]
    public void A_key_that_expires_within_60_days_is_a_warning_with_the_day_and_an_expired_one_too()
    {
        IReadOnlyList<string> warnings = Warn(
            [Ops with { Expires = Now.AddDays(59.9) }, Escrow with { Expires = Now.AddDays(-1) }],
            ("AAAA", 1),
            ("BBBB", 1)
        );

        warnings
            .ShouldHaveSingleItem()
            .ShouldStartWith(
                "the key BBBB (escrow@example.com) expired on 2026-03-21; the key AAAA (ops@example.com) expires on "
                    + "2026-05-21, in 59 days: "
            );
        KeyFindings.Of([Ops with { Expires = Now.AddDays(60) }, Escrow], Now).ShouldBeEmpty();
        KeyFindings.Of([Ops with { Expires = Now }, Escrow], Now).ShouldHaveSingleItem().Text.ShouldContain("expired on 2026-03-22");
    }

    [Fact]
    public void A_key_that_was_not_tested_for_90_days_or_never_is_a_warning_and_those_that_were_are_not_named()
    {
        Warn([Ops, Escrow], ("AAAA", 91), ("BBBB", 89))
            .ShouldBe([
                "private keys not tested in the last 90 days: ops@example.com (last on 2025-12-21). Run `olympus-pgbackup keys test "
                    + "--identity FILE` where each key is",
            ]);
        Warn([Ops, Escrow]).ShouldHaveSingleItem().ShouldContain("days: ops@example.com (never), escrow@example.com (never). Run ");
    }

    [Fact]
    public void Each_kind_is_one_sentence_however_many_keys_there_are()
    {
        Recipient[] many =
        [
            .. Enumerable
                .Range(0, 5)
                .Select(static i => new Recipient
                {
                    Name = $"k{i}@example.com",
                    Fingerprint = $"F{i}",
                    Expires = Now.AddDays(i),
                }),
        ];

        Warn(many).Count.ShouldBe(2);
        Warn([many[1]]).Count.ShouldBe(3);
    }

    [Fact]
    public void The_key_of_an_ssh_recipient_is_shortened_and_a_fingerprint_is_not()
    {
        string rsa = "ssh-rsa " + new string('A', 700) + "endofthekey= ops@home";

        KeyFindings.Short(rsa).ShouldBe("ssh-rsa AAAAAAAAAAAAAAAA...endofthekey=");
        KeyFindings.Short("ssh-ed25519 AAAA " + new string('c', 100)).ShouldBe("ssh-ed25519 AAAA");
        KeyFindings.Short(new string('F', 40)).ShouldBe(new string('F', 40));
    }

    [Theory]
    [InlineData(91.0, 0.0, Severity.Warning)]
    [InlineData(180.0, 0.0, Severity.Warning)]
    [InlineData(181.0, 0.0, Severity.Error)]
    [InlineData(null, 179.0, Severity.Warning)]
    [InlineData(null, 181.0, Severity.Error)]
    public void A_key_that_nobody_tested_for_twice_as_long_is_an_error_and_one_never_tested_counts_from_its_first_canary(
        double? testedDaysAgo,
        double knownDaysAgo,
        Severity expected
    ) =>
        KeyFindings
            .Of(
                [Ops, Escrow],
                f =>
                    f == Ops.Fingerprint ? Now
                    : Now.AddDays(-testedDaysAgo ?? 0) is var t && testedDaysAgo is null ? null
                    : t,
                Now.AddDays(-knownDaysAgo),
                Now
            )
            .ShouldHaveSingleItem()
            .Severity.ShouldBe(expected);

    private static IReadOnlyList<string> Warn(IReadOnlyList<Recipient> recipients, params (string Key, double DaysAgo)[] tests) =>
        KeyFindings
            .Of(
                recipients,
                fingerprint =>
                    tests.Where(t => t.Key == fingerprint).Select(static t => (DateTimeOffset?)Now.AddDays(-t.DaysAgo)).FirstOrDefault(),
                null,
                Now
            )
            .Texts();
}
