using PgBackup.Applications;
using PgBackup.Archives;

namespace PgBackup.Losses;

/// <summary>What tables may lose: the lists of the config, then what is known of the applications.</summary>
/// <param name="ephemeral">Tables as <c>database.schema.table</c>, without quotes: they shrink when a janitor runs.</param>
/// <param name="durable">The same: they must not.</param>
public sealed class TableClasses(IEnumerable<string> ephemeral, IEnumerable<string> durable)
{
    private readonly HashSet<string> shrinking = new(ephemeral, StringComparer.Ordinal);
    private readonly HashSet<string> lasting = new(durable, StringComparer.Ordinal);

    /// <summary>What is known of the applications alone.</summary>
    public static TableClasses BuiltIn { get; } = new([], []);

    /// <summary>The class of a table. The config wins.</summary>
    /// <param name="database">Its database.</param>
    /// <param name="table">As a proof names it.</param>
    /// <param name="has">Whether the database has, or had, a table of such a name.</param>
    internal TableClass ClassOf(string database, string table, Func<string, bool> has)
    {
        string bare = TableName.Read(table, 0) is (TableName name, _) ? name.ToString() : table;
        string path = $"{database}.{bare}";
        return lasting.Contains(path) ? TableClass.Durable
            : shrinking.Contains(path) ? TableClass.Ephemeral
            : KnownTables.ClassOf(table, has);
    }
}
