using System.Text;

namespace PgBackup.App.Restore;

/// <summary>The names that may be given to what is restored.</summary>
internal static class RestoreNames
{
    /// <summary>What the name of a database has to be, for people.</summary>
    public const string DatabaseRule = "Write one of 1 to 63 bytes in one line, and none of Postgres's own databases.";

    /// <summary>It can be the name that a database is restored under.</summary>
    public static bool IsDatabase(string name) => IsName(name) && name is not ("template0" or "template1" or "postgres");

    /// <summary>It can be the name of a new schema.</summary>
    public static bool IsSchema(string name) => IsName(name) && !name.StartsWith("pg_", StringComparison.Ordinal);

    private static bool IsName(string name) =>
        name.Trim().Length > 0 && Encoding.UTF8.GetByteCount(name) <= 63 && !name.AsSpan().ContainsAny('\r', '\n');
}
