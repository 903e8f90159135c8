using PgBackup.Proofs;

namespace PgBackup.Tests.Proofs;

public sealed class ProofTests
{
    [Fact]
    public void Its_rows_are_those_of_all_tables_and_its_bytes_also_those_of_large_objects()
    {
        Proof proof = ProofSample.Of(7);
        proof.Tables["public.more"] = proof.Tables["public.identities"];

        (proof.Rows, proof.Bytes).ShouldBe((14, 145));
    }
}
