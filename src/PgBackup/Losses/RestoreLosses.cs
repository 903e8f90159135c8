using PgBackup.Snapshots;

namespace PgBackup.Losses;

/// <summary>What a snapshot that is restored lacks, and nobody has confirmed: known before anything is changed.</summary>
internal static class RestoreLosses
{
    /// <summary>Its open losses, each with the newest complete snapshot that has none, where there is one.</summary>
    /// <param name="survey">Knows what was confirmed; null where nothing is to be said of losses.</param>
    /// <param name="catalog">Of the store that is restored from.</param>
    /// <param name="manifest">The snapshot.</param>
    /// <param name="matters">The losses that matter to this restore.</param>
    /// <param name="cancel">Gives up.</param>
    public static async Task<IReadOnlyList<Finding>> OfAsync(
        LossSurvey? survey,
        Catalog catalog,
        Manifest manifest,
        Func<Loss, bool> matters,
        CancellationToken cancel
    )
    {
        List<Loss> losses = [.. manifest.Losses.Where(l => !l.IsExpected && matters(l))];
        if (survey is null || losses.Count == 0)
        {
            return [];
        }

        IReadOnlyList<CatalogEntry> entries = await ListAsync(catalog, cancel);
        SurveyedLosses found = await survey.OfAsync(manifest with { Losses = losses }, cancel);
        SnapshotId? good = found.Unconfirmed.Count == 0 ? null : await GoodAsync(survey, catalog, entries, cancel);
        string? fix = good is null ? null : $"The newest complete snapshot without an unconfirmed loss is {good}";
        return [.. found.Open.Select(f => f.Severity == Severity.Error && fix is not null ? f with { Fix = fix } : f)];
    }

    // It is only a hint: a restore is not given up for it.
    private static async Task<SnapshotId?> GoodAsync(
        LossSurvey survey,
        Catalog catalog,
        IReadOnlyList<CatalogEntry> entries,
        CancellationToken cancel
    )
    {
        try
        {
            return (await survey.NewestWithoutAsync(catalog, entries, cancel))?.Id;
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
        {
            return null;
        }
    }

    // A restore is not given up for that: its losses are said without it.
    private static async Task<IReadOnlyList<CatalogEntry>> ListAsync(Catalog catalog, CancellationToken cancel)
    {
        try
        {
            return await catalog.ListAsync(cancel);
        }
        catch (PgBackupException e) when (e.Code != ErrorCode.Cancelled && !cancel.IsCancellationRequested)
        {
            return [];
        }
    }
}
