using PgBackup.Applications;
using PgBackup.Configuration;
using PgBackup.Operations.Drill;

namespace PgBackup.Tests.Operations.Drill;

public sealed class SecretTestsTests
{
    private static readonly ApplicationKeyConfig Hydra = new() { Service = "hydra", Database = "ciam_hydra" };

    [Fact]
    public void Values_that_all_decrypt_say_with_which_secrets() =>
        Judge(Hydra, (ValueState.Decrypts, 2), (ValueState.Decrypts, 1), (ValueState.Decrypts, 1))
            .ShouldBe((true, "decrypts", "3 were tried, the newest and the oldest: 2 with secret 1, 1 with secret 2"));

    [Fact]
    public void One_that_no_secret_decrypts_is_a_wrong_key_and_the_rows_are_named() =>
        Judge(
                Hydra,
                (ValueState.WrongKey, 0),
                (ValueState.Decrypts, 1),
                (ValueState.WrongKey, 0),
                (ValueState.WrongKey, 0),
                (ValueState.WrongKey, 0)
            )
            .ShouldBe(
                (
                    false,
                    "WRONG KEY",
                    "4 of 5 that were tried do not decrypt with any of the 2 secrets of the secret_file (row 0, row 2, row 3, ...); 5 "
                        + "were tried, the newest and the oldest: 1 with secret 1"
                )
            );

    [Fact]
    public void A_value_of_kratos_that_does_not_decrypt_may_have_another_algorithm() =>
        Judge(Hydra with { Service = "kratos" }, (ValueState.WrongKey, 0))
            .Detail.ShouldEndWith("or ciphers.algorithm in kratos.yml is not aes: then write it as algorithm");

    [Fact]
    public void A_value_that_the_service_cannot_have_written_fails_the_drill() =>
        Judge(Hydra, (ValueState.Decrypts, 1), (ValueState.Malformed, 0))
            .ShouldBe(
                (
                    false,
                    "FAILED",
                    "1 of 2 that were tried cannot be a value of hydra (row 1): the first is so; 2 were tried, the newest and the "
                        + "oldest: 1 with secret 1"
                )
            );

    [Fact]
    public void What_cannot_be_tested_is_told_and_fails_nothing()
    {
        Judge(Hydra, (ValueState.NotTestable, 0))
            .ShouldBe((true, "not testable", "1 of 1 that were tried could not be tested: the first is so"));
        Judge(Hydra, (ValueState.NotTestable, 0), (ValueState.Decrypts, 1)).Verdict.ShouldBe("decrypts");
    }

    [Fact]
    public void Clear_text_is_told_and_fails_nothing() =>
        Judge(Hydra, (ValueState.Plain, 0)).ShouldBe((true, "nothing encrypted", "1 of 1 that were tried are stored in clear text"));

    private static (bool Passed, string Verdict, string Detail) Judge(
        ApplicationKeyConfig key,
        params (ValueState State, int Secret)[] values
    )
    {
        SecretTest result = SecretTests.Judge(
            key,
            7,
            [
                .. values.Select(
                    static (v, i) =>
                        (
                            $"row {i}",
                            new ValueVerdict(v.State, v.Secret, v.State is ValueState.Malformed or ValueState.NotTestable ? "is so" : null)
                        )
                ),
            ],
            2
        );
        (result.Service, result.Database, result.Values).ShouldBe((key.Service, key.Database, 7));
        return (result.Passed, result.Verdict.Word(), result.Detail);
    }
}
