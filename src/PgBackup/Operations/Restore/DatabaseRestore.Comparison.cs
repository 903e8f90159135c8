using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Snapshots;
using PgBackup.Streams;

namespace PgBackup.Operations.Restore;

internal sealed partial class DatabaseRestore
{
    // What keeps it from being compared is a problem like a difference. Returns whether the schema was compared too.
    private async Task<bool> CompareOrExplainAsync(ICipher cipher, PartProgress display, CancellationToken cancel)
    {
        display.State = PartState.Comparing;
        try
        {
            await CompareOwnersAsync(cancel);
            return await CompareAsync(cipher, display, cancel);
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            problems.Add($"the restored database cannot be compared: {e.Message}");
            if ((e.Remedy ?? DumpAdvice.For(e.Message)) is { } remedy)
            {
                problems.Add("what to do: " + remedy);
            }

            return true;
        }
    }

    // A dump does not say whose an extension is: it belongs to who makes it. No difference from the dump, and nothing that a statement
    // could change.
    private async Task CompareOwnersAsync(CancellationToken cancel)
    {
        if (Part.ExtensionOwners is not { Count: > 0 } owners)
        {
            return;
        }

        await using PsqlSession inside = await server.ConnectAsync(Name, TimeSpan.Zero, cancel);
        foreach (
            System.Text.Json.JsonElement row in await inside.QueryAsync(
                "SELECT extname, pg_get_userbyid(extowner) AS owner FROM pg_extension ORDER BY 1",
                cancel
            )
        )
        {
            string extension = row.GetProperty("extname").GetString()!;
            string owner = row.GetProperty("owner").GetString()!;
            if (owners.TryGetValue(extension, out string? before) && before != owner)
            {
                Findings.Add(
                    Noted(
                        Name,
                        $"the extension {extension} belonged to {before}, and belongs to {owner} now: a dump does not say whose an "
                            + $"extension is. Only its owner may alter or drop it"
                    )
                );
            }
        }
    }

    // Returns whether the schema could be compared too.
    private async Task<bool> CompareAsync(ICipher cipher, PartProgress display, CancellationToken cancel)
    {
        Proof expected = WithoutTablespace(Part.Proof);
        var reader = new RestoredProofReader(server, Name, stored, cipher, display);
        using RestoredProof found = await reader.ReadAsync(standardStrings, proof => ProofComparison.Of(expected, proof), cancel);
        ProofComparison comparison = ProofComparison.Of(expected, found.Proof);
        if (found.Note is { } note)
        {
            Findings.Add(Noted(Name, note));
        }

        if (!comparison.SchemaCompared)
        {
            Findings.Add(
                Finding.Note(
                    ErrorCode.RestoreNoted,
                    "",
                    $"the target is Postgres {server.Tools.Major}, the snapshot was made by pg_dump {Part.Proof.DumpMajor}: rows, "
                        + $"sequences and large objects were compared, the wording of the schema was not"
                )
            );
        }

        IEnumerable<string> differences = comparison.Differences;
        IReadOnlyList<string> explained = [];
        if (!comparison.StatementsEqual)
        {
            (explained, bool onlyNames) = await ExplainSchemaAsync(cipher, found.Script, cancel);
            if (onlyNames)
            {
                Findings.Add(
                    Noted(
                        Name,
                        $"constraints NOT NULL have other names, which the server gives by itself, and nothing else of the schema "
                            + $"differs: {string.Join("; ", explained)}"
                    )
                );
                differences = differences.Where(static d => !d.StartsWith(ProofComparison.Schema, StringComparison.Ordinal));
                explained = [];
            }
        }

        List<string> all = [.. differences.Select(static d => "differs from the original: " + d), .. explained];
        problems.AddRange(all.Take(ShownDifferences));
        if (all.Count > ShownDifferences)
        {
            problems.Add($"and {all.Count - ShownDifferences} more differences");
        }

        return comparison.SchemaCompared;
    }

    // Where the database itself lies is no more compared than where its tables do.
    private Proof WithoutTablespace(Proof proof) =>
        DatabaseStatement.ProofOf(statements) == proof.Database
            ? proof with
            {
                Database = DatabaseStatement.ProofOf(statements.Select(static s => s.WithoutTablespace())),
            }
            : proof;

    // Which statements differ: the archive's script once more, this time with their texts.
    private async Task<(IReadOnlyList<string> Lines, bool OnlyNames)> ExplainSchemaAsync(
        ICipher cipher,
        ScriptReader found,
        CancellationToken cancel
    )
    {
        ArchiveDecoder decoder = await ArchiveDecoder.StartAsync(server.Tools, keepExcerpts: true, cancel);
        await using (
            var proving = new ProvingStream(new DeferredStream(async c => await stored.OpenPlainAsync(cipher, c), cancel), decoder)
        )
        {
            byte[] buffer = new byte[256 * 1024];
            while (await proving.ReadAsync(buffer, cancel) > 0)
            {
                // to its end
            }

            var schema = StatementDifferences.Of(decoder.Script.StatementsMissingIn(found), found.StatementsMissingIn(decoder.Script));
            HashSet<string> expected = [.. decoder.Script.DatabaseStatements.Select(s => s.WithoutTablespace().For(Name))];
            HashSet<string> present = [.. found.DatabaseStatements.Select(s => s.For(Name))];
            List<string> own =
            [
                .. expected.Except(present).Select(static s => "expected, not found: " + StatementDifferences.OneLine(s)),
                .. present.Except(expected).Select(static s => "found, not expected: " + StatementDifferences.OneLine(s)),
            ];
            return ([.. schema.Lines, .. own], schema.OnlyNamesOfNotNull && own.Count == 0);
        }
    }
}
