namespace PgBackup.Postgres;

/// <summary>What a backup must not connect through.</summary>
public static class ConnectionPolicy
{
    private const string PoolerSuffix = "-pooler";

    /// <summary>
    /// For a pooler's host (Neon names them <c>ep-x-pooler.region...</c>) the advice with its direct host; null for any other.
    /// A pooler gives each transaction another session: an exported snapshot and pg_dump's settings do not survive that.
    /// </summary>
    public static string? PoolerRemedy(PgConnection connection)
    {
        string host = connection.Host?.Split(',')[0] ?? "";
        int dot = host.IndexOf('.', StringComparison.Ordinal);
        string first = dot < 0 ? host : host[..dot];
        return first.EndsWith(PoolerSuffix, StringComparison.Ordinal)
            ? $"Use the direct host: {first[..^PoolerSuffix.Length]}{(dot < 0 ? "" : host[dot..])}"
            : null;
    }

    /// <summary>Says why the TLS of a remote connection is too weak, or null: only verify-full keeps a stranger from answering.</summary>
    public static string? WeakTls(PgConnection connection)
    {
        string? mode = connection.Settings.GetValueOrDefault("PGSSLMODE");
        return !connection.IsRemote || mode == "verify-full"
            ? null
            : $"{connection.Settings.GetValueOrDefault("PGHOSTADDR") ?? connection.Host} is another machine, and the connection would "
                + $"use {(mode is null ? "no sslmode (which accepts plain text)" : $"sslmode={mode}")}.";
    }
}
