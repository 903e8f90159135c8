using PgBackup.Postgres;

namespace PgBackup.Configuration;

/// <summary>How restores are rehearsed.</summary>
public sealed record DrillConfig
{
    /// <summary>How long a whole restore may take, from finding the snapshot to the last comparison.</summary>
    public TimeSpan Rto { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How long deploying everything else takes, by the operator's own figure; added to the restore in the report.</summary>
    public TimeSpan Redeploy { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>How old the newest snapshot may be.</summary>
    public TimeSpan Rpo { get; init; } = TimeSpan.FromHours(26);

    /// <summary><c>podman</c>, <c>docker</c>, <c>host</c>, or null for <see cref="Target"/>; podman by default.</summary>
    public string? Scratch { get; init; } = "podman";

    /// <summary>
    /// The image of the scratch server, null for postgres of the snapshot's major version; with <see cref="Target"/> the one whose client tools
    /// are used, null for the usual choice.
    /// </summary>
    public string? Image { get; init; }

    /// <summary>A server to rehearse in, instead of one that is started and thrown away.</summary>
    public PgConnection? Target { get; init; }

    /// <summary>A file with the password for <see cref="Target"/>; it is read when a drill begins.</summary>
    public string? TargetPasswordFile { get; init; }

    /// <summary>The private key; null is what the encryption section names.</summary>
    public string? IdentityFile { get; init; }

    /// <summary>A file with the passphrase of a gpg key.</summary>
    public string? PassphraseFile { get; init; }

    /// <summary>The operator's own checks.</summary>
    public IReadOnlyList<DrillCheckConfig> Checks { get; init; } = [];
}

/// <summary>One query on a restored database, and what it must answer.</summary>
public sealed record DrillCheckConfig
{
    /// <summary>What to call it.</summary>
    public required string Name { get; init; }

    /// <summary>The database.</summary>
    public required string Database { get; init; }

    /// <summary>A query; the first column of its first row counts.</summary>
    public required string Sql { get; init; }

    /// <summary>What it must answer.</summary>
    public required Expectation Expect { get; init; }
}
