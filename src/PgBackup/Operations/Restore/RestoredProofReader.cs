using PgBackup.Archives;
using PgBackup.Encryption;
using PgBackup.Postgres;
using PgBackup.Proofs;
using PgBackup.Tools;

namespace PgBackup.Operations.Restore;

/// <summary>Reads what a restored database has, worded as in its snapshot: see <see cref="RestoredProof"/>.</summary>
/// <param name="server">The target.</param>
/// <param name="database">Its database.</param>
/// <param name="stored">What was restored into it.</param>
/// <param name="cipher">With the identity.</param>
/// <param name="display">For a display.</param>
internal sealed class RestoredProofReader(PostgresServer server, string database, StoredPart stored, ICipher cipher, PartProgress display)
{
    private const int TriedZones = 3;

    /// <summary>Dumps the database, once if nothing has to be found out.</summary>
    /// <param name="standardStrings">How its literals are written.</param>
    /// <param name="compare">The comparison with what is expected.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<RestoredProof> ReadAsync(bool standardStrings, Func<Proof, ProofComparison> compare, CancellationToken cancel)
    {
        RestoredProof best = await ReadOnceAsync(standardStrings, stored.Settings, cancel);
        ProofComparison comparison = compare(best.Proof);
        if (stored.Settings is not null || comparison.IsEqual || (comparison.ContentsEqual && comparison.StatementsEqual))
        {
            return best;
        }

        List<IReadOnlyDictionary<string, string>> settings = [DumpSettings.Fixed];
        if (!comparison.ContentsEqual)
        {
            foreach (string zone in await ZonesAsync(cancel))
            {
                settings.AddRange([new Dictionary<string, string> { ["TimeZone"] = zone }, DumpSettings.In(zone)]);
            }
        }

        foreach (IReadOnlyDictionary<string, string> tried in settings)
        {
            RestoredProof other = await ReadOnceAsync(standardStrings, tried, cancel);
            ProofComparison closer = compare(other.Proof);
            bool isCloser = closer.Differences.Count < comparison.Differences.Count;
            (isCloser ? best : other).Dispose();
            if (isCloser)
            {
                (best, comparison) = (other with { Note = ComparedWith(tried) }, closer);
            }

            if (comparison.IsEqual)
            {
                return best;
            }
        }

        return comparison.ContentsEqual ? best : best with { Note = NotKnown };
    }

    private const string NotKnown =
        "the manifest, of an older version, does not say with which settings (TimeZone, bytea_output, lc_monetary, "
        + "quote_all_identifiers) the snapshot was dumped. "
        + "If those of the source differ from the target's, rows can be equal and look different: set them at the target "
        + "(ALTER ROLE ... SET), and restore again.";

    private static string ComparedWith(IReadOnlyDictionary<string, string> settings) =>
        "the manifest, of an older version, does not say with which settings the snapshot was dumped; it was "
        + $"compared with {string.Join(", ", settings.Select(static s => $"{s.Key}={s.Value}"))}.";

    private async Task<RestoredProof> ReadOnceAsync(
        bool standardStrings,
        IReadOnlyDictionary<string, string>? with,
        CancellationToken cancel
    )
    {
        var script = new ScriptReader(keepExcerpts: true);
        try
        {
            display.Follow(() => script.BytesRead);
            await using ToolStream dump = ToolStream.From(
                await server.DumpScriptAsync(database, stored.Part.Encoding!, standardStrings, with, cancel),
                cancel
            );
            await ArchiveDecoder.ReadAsync(dump, script, cancel);
            return new RestoredProof { Script = script, Proof = script.Finish(server.Tools.Major) };
        }
        catch
        {
            script.Dispose();
            throw;
        }
    }

    // The zones in which the times of the dump may have been written: those that have each time's offset at that time.
    private async Task<IReadOnlyList<string>> ZonesAsync(CancellationToken cancel)
    {
        var samples = new ZoneSamples();
        ToolProcess restore = await server.Tools.Host.StartAsync(
            new ToolCommand("pg_restore", "--data-only", "--file=-")
            {
                Label = $"pg_restore (reading the times of {stored.Part.Object})",
                MayStopReading = true,
            },
            cancel
        );
        await using (ToolStream text = ToolStream.Through(restore, await stored.OpenPlainAsync(cipher, cancel), cancel))
        {
            await samples.ReadAsync(text, cancel);
        }

        if (samples.Times.Count == 0)
        {
            return [];
        }

        await using PsqlSession session = await server.ConnectAsync(TimeSpan.Zero, cancel);
        string times = string.Join(", ", samples.Times.Select(Sql.Literal));
        var found = await session.QueryAsync(
            $"""
            SELECT z.name FROM pg_timezone_names z WHERE z.name !~ '^(posix|right)/' AND NOT EXISTS (
              SELECT FROM unnest(ARRAY[{times}]) AS s(t)
                WHERE (s.t::timestamptz AT TIME ZONE z.name) <> regexp_replace(s.t, '[+-][0-9:]+$', '')::timestamp)
            ORDER BY z.name !~ '/', z.name LIMIT {TriedZones}
            """,
            cancel
        );
        return [.. found.Select(static z => z.GetProperty("name").GetString()!)];
    }
}

/// <summary>
/// What a restored database has, worded as in its snapshot. Newer manifests say with which settings that is. Of an older one they are not
/// known: if anything differs then, the plausible ones are tried, and the closest is taken.
/// </summary>
internal sealed record RestoredProof : IDisposable
{
    /// <summary>The script of the restored database.</summary>
    public required ScriptReader Script { get; init; }

    /// <summary>Its proof.</summary>
    public required Proof Proof { get; init; }

    /// <summary>With which settings it was read, if that had to be found out; or why a difference may be none.</summary>
    public string? Note { get; init; }

    /// <inheritdoc/>
    public void Dispose() => Script.Dispose();
}
