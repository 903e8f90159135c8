using System.Collections.Concurrent;

namespace PgBackup.Storage;

/// <summary>
/// The locks that this very process holds. A store whose lock it finds taken by itself is the place of another store of the same config; to
/// wait for that other run, as the usual message says, would be to wait for oneself.
/// </summary>
internal static class HeldLocks
{
    private static readonly ConcurrentDictionary<string, string> Held = new(StringComparer.Ordinal);

    /// <summary>Remembers a lock by something that only it has, and the store that it is of.</summary>
    public static void Add(string mark, string store) => Held[mark] = store;

    /// <summary>Forgets it.</summary>
    public static void Remove(string mark) => Held.TryRemove(mark, out _);

    /// <summary>This process holds it now.</summary>
    public static bool Has(string mark) => Held.ContainsKey(mark);

    /// <summary>The error for a lock that this process holds for a store of another name; null for every other lock.</summary>
    public static PgBackupException? Same(string mark, string store, string location) =>
        !Held.TryGetValue(mark, out string? other) || other == store
            ? null
            : new PgBackupException(
                ErrorCode.StoresAreOne,
                $"the stores {other} and {store} are one and the same place ({location}): this run holds its lock for {other} already.",
                "Give each store a folder, remote or prefix of its own: a link, a mount or another name for the same place is not a "
                    + "second copy."
            );
}
