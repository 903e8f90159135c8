using System.Globalization;
using PgBackup.App.Render;
using PgBackup.Host;
using PgBackup.Installations;
using PgBackup.Losses;
using PgBackup.Snapshots;
using PgBackup.Storage;

namespace PgBackup.App.Restore;

/// <summary>What is to be restored: from which store, which snapshot, which of its databases.</summary>
internal sealed class SnapshotQuestions(Installation installation, Questions questions, CancellationToken cancel)
{
    private const int Newest = 8;

    /// <summary>Asks.</summary>
    /// <exception cref="PgBackupException">There is nothing to choose from, or no answer any more.</exception>
    public async Task<(IObjectStore Store, Manifest Manifest, IReadOnlyList<string> Databases)> AskAsync()
    {
        IObjectStore store = await StoreAsync();
        Manifest manifest = await SnapshotAsync(store);
        return (store, manifest, await DatabasesAsync(manifest));
    }

    private async Task<IObjectStore> StoreAsync()
    {
        Questions.Say("\nFrom which store?");
        IReadOnlyList<IObjectStore> stores = [.. installation.Stores().Select(static s => s.Store)];
        Questions.List(await Task.WhenAll(stores.Select(DescribeAsync)));
        return stores[stores.Count == 1 ? 0 : await questions.ChooseAsync("store", stores.Count, 1)];
    }

    private async Task<string[]> DescribeAsync(IObjectStore store)
    {
        try
        {
            List<CatalogEntry> there = [.. (await installation.CatalogOf(store).ListAsync(cancel)).Where(static e => e.HasManifest)];
            string newest = there.LastOrDefault(static e => e.IsComplete) is { } last
                ? $"the newest complete one {Age(last.Id)} old"
                : "none of them complete";
            return
            [
                store.Name,
                store.Location,
                there.Count == 0 ? "no snapshots" : $"{there.Count} snapshots, {newest}, {ByteSize.Text(there.Sum(static e => e.Bytes))}",
            ];
        }
        catch (PgBackupException e)
        {
            return [store.Name, store.Location, $"cannot be listed: {e.CodeText}"];
        }
    }

    private async Task<Manifest> SnapshotAsync(IObjectStore store)
    {
        Questions.Say("\nWhich snapshot?");
        Catalog catalog = installation.CatalogOf(store);
        List<CatalogEntry> all = [.. (await catalog.ListAsync(cancel)).Where(static e => e.HasManifest).Reverse()];
        if (all.Count == 0)
        {
            throw new PgBackupException(
                ErrorCode.SnapshotMissing,
                $"the store {store.Name} ({store.Location}) has no snapshot.",
                "Choose another store; `olympus-pgbackup list --store NAME` shows what it has."
            );
        }

        List<CatalogEntry> shown = [.. all.Take(Newest)];
        if (
            await installation.Losses().NewestWithoutAsync(catalog, [.. all.AsEnumerable().Reverse()], cancel) is { } whole
            && !shown.Contains(whole)
        )
        {
            shown.Add(whole);
        }

        Dictionary<SnapshotId, string> lost = await LostAsync(catalog, shown);
        Questions.List([
            .. shown.Select(e =>
                (string[])
                    [
                        e.Id.ToString(),
                        $"{Age(e.Id)} old",
                        State(e, lost.GetValueOrDefault(e.Id)),
                        $"{e.Databases} databases",
                        ByteSize.Text(e.Bytes),
                    ]
            ),
        ]);
        if (all.Count > shown.Count)
        {
            Questions.Say($"  and {all.Count - shown.Count} older ones, which can be named by their id");
        }

        int latest = Usual(shown, lost);
        while (true)
        {
            string answer = await questions.AskAsync($"snapshot [{latest + 1}]: ");
            CatalogEntry? entry =
                answer.Length == 0 ? shown[latest]
                : int.TryParse(answer, CultureInfo.InvariantCulture, out int n) && n >= 1 && n <= shown.Count ? shown[n - 1]
                : all.Find(e => e.Id == SnapshotId.TryParse(answer));
            if (entry is null)
            {
                Questions.Say($"Write a number from 1 to {shown.Count}, or an id.");
                continue;
            }

            try
            {
                return await catalog.ReadManifestAsync(entry, cancel);
            }
            catch (PgBackupException e)
            {
                Questions.Say($"{e.CodeText}: {e.Message}");
            }
        }
    }

    // The newest complete one that lacks nothing; without it the newest complete one.
    private static int Usual(List<CatalogEntry> shown, Dictionary<SnapshotId, string> lost)
    {
        int whole = shown.FindIndex(e => e.IsComplete && !lost.ContainsKey(e.Id));
        if (whole < 0)
        {
            return Math.Max(0, shown.FindIndex(static e => e.IsComplete));
        }

        if (shown.Take(whole).Any(static e => e.IsComplete))
        {
            Questions.Say($"  {whole + 1} is the newest complete one without a loss that nobody has confirmed.");
        }

        return whole;
    }

    private static string State(CatalogEntry entry, string? lost) =>
        string.Join(
            ", ",
            (
                (string?[])
                    [
                        entry.IsComplete ? "complete" : "INCOMPLETE",
                        entry.IsProven ? "proven by a drill" : null,
                        entry.IsPinned ? "pinned" : null,
                        lost is null ? null : $"LOSS of {lost}",
                    ]
            ).Where(static w => w is not null)
        );

    // What those have lost that nobody has confirmed, by their names and manifests.
    private async Task<Dictionary<SnapshotId, string>> LostAsync(Catalog catalog, IReadOnlyList<CatalogEntry> shown)
    {
        LossSurvey survey = installation.Losses();
        Dictionary<SnapshotId, string> lost = [];
        foreach (CatalogEntry entry in shown.Where(static e => e.HasUnconfirmedLoss || e.HasConfirmedLoss))
        {
            if ((await catalog.TryReadManifestAsync(entry, cancel)).Manifest is not { } manifest)
            {
                lost[entry.Id] = "what cannot be read";
            }
            else if (await survey.OfAsync(manifest, cancel) is { Unconfirmed.Count: > 0 } found)
            {
                lost[entry.Id] = Foreign.Line(found.Names);
            }
        }

        return lost;
    }

    private async Task<IReadOnlyList<string>> DatabasesAsync(Manifest manifest)
    {
        Questions.Say("\nWhich databases?");
        List<Part> parts = [.. manifest.Databases];
        Questions.List([
            .. parts.Select(static p =>
                (string[])
                    [
                        p.Database!,
                        string.Create(CultureInfo.InvariantCulture, $"{p.Proof.Tables.Count} tables, {p.Proof.Rows:N0} rows"),
                        ByteSize.Text(p.Size),
                    ]
            ),
        ]);
        while (true)
        {
            string answer = await questions.AskAsync("databases, several with commas between [all]: ");
            if (answer.Length == 0 || answer == "all")
            {
                return [.. parts.Select(static p => p.Database!)];
            }

            List<string?> chosen =
            [
                .. answer
                    .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                    .Select(word =>
                        parts.Find(p => p.Database == word)?.Database
                        ?? (
                            int.TryParse(word, CultureInfo.InvariantCulture, out int n) && n >= 1 && n <= parts.Count
                                ? parts[n - 1].Database
                                : null
                        )
                    ),
            ];
            if (chosen.Count > 0 && !chosen.Contains(null))
            {
                return [.. chosen.OfType<string>().Distinct(StringComparer.Ordinal)];
            }

            Questions.Say("Write names or numbers of the list.");
        }
    }

    private string Age(SnapshotId id) => Terminal.Age(installation.Clock.GetUtcNow() - id.Time);
}
