using PgBackup.Configuration;
using PgBackup.Postgres;

namespace PgBackup.Operations.Check;

/// <summary>
/// The tools that decode dumps without any server, found once for each major version: a store that has seen an upgrade holds several.
/// Those of an image that was named; else on this host, in the source's container, or in an image.
/// </summary>
/// <param name="source">The source of the config.</param>
/// <param name="image">An image whose tools are used, or null.</param>
/// <param name="clock">The time.</param>
public sealed class DecodingTools(SourceConfig source, string? image, TimeProvider clock) : IAsyncDisposable
{
    private readonly Dictionary<int, FoundTools> tools = [];
    private readonly SemaphoreSlim one = new(1, 1);

    /// <summary>The tools for dumps of a major version. They live as long as this.</summary>
    /// <exception cref="PgBackupException">There are none: <see cref="ErrorCode.ToolMissing"/>, <see
    /// cref="ErrorCode.ContainerUnavailable"/>.</exception>
    public async Task<PostgresTools> ForAsync(int major, CancellationToken cancel)
    {
        await one.WaitAsync(cancel);
        try
        {
            if (!tools.TryGetValue(major, out FoundTools? found))
            {
                tools[major] = found = await FindAsync(major, cancel);
            }

            return found.Tools;
        }
        finally
        {
            one.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (FoundTools found in tools.Values)
        {
            await found.DisposeAsync();
        }

        one.Dispose();
    }

    private async Task<FoundTools> FindAsync(int major, CancellationToken cancel)
    {
        if (image is not null)
        {
            return await ToolFinder.OfImageAsync(source.Connection, image, clock, cancel);
        }

        IReadOnlyList<PostgresTools> onHost = await PostgresTools.OnHostAsync(clock, cancel);
        if (onHost.FirstOrDefault(t => t.Major == major) is { } exact)
        {
            return new FoundTools { Tools = exact };
        }

        // The same version words the schema in the same way; a newer one still decodes everything, and compares the rows.
        PostgresTools? newer = onHost.LastOrDefault(t => t.Major > major);
        if (source.Engine is { } engine)
        {
            try
            {
                return await ToolFinder.InContainerAsync(engine, source.Container!, clock, cancel);
            }
            catch (PgBackupException) when (newer is not null)
            {
                return new FoundTools { Tools = newer };
            }
            catch (PgBackupException e) when (e.Code == ErrorCode.ContainerUnavailable)
            {
                string better = $"if the source cannot be reached, check --tools-image postgres:{major} decodes in an image.";
                throw new PgBackupException(
                    e.Code,
                    e.Message,
                    e.Remedy is null ? char.ToUpperInvariant(better[0]) + better[1..] : $"{e.Remedy} Or {better}",
                    e
                );
            }
        }

        if (newer is not null && source.ToolsImage is null)
        {
            return new FoundTools { Tools = newer };
        }

        return await ToolFinder.OfImageAsync(source.Connection, source.ToolsImage ?? $"docker.io/library/postgres:{major}", clock, cancel);
    }
}
