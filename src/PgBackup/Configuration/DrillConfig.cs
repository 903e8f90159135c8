using PgBackup.Applications;
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
    /// The image of the scratch server, null for postgres of the snapshot's major version; with <see cref="Target"/> the one whose client
    /// tools are used, null for the usual choice.
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

    /// <summary>Ask what every Kratos, Hydra and Olympus should be able to answer.</summary>
    public bool BuiltinChecks { get; init; } = true;

    /// <summary>Those of the built-in questions that are not asked, by their names.</summary>
    public IReadOnlyList<string> SkipChecks { get; init; } = [];

    /// <summary>How long a question may take.</summary>
    public TimeSpan CheckTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The keys by which the applications encrypted what they stored.</summary>
    public IReadOnlyList<ApplicationKeyConfig> ApplicationKeys { get; init; } = [];
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

    /// <summary>How long it may take.</summary>
    public required TimeSpan Timeout { get; init; }
}

/// <summary>Where one service stores encrypted values, and the secrets that should decrypt them.</summary>
public sealed record ApplicationKeyConfig
{
    /// <summary><c>hydra</c>, <c>kratos</c> or <c>settings</c>.</summary>
    public required string Service { get; init; }

    /// <summary>The database, by its name in the snapshot.</summary>
    public required string Database { get; init; }

    /// <summary>The table of settings; null for the other services.</summary>
    public string? Table { get; init; }

    /// <summary>A file with the secrets, one a line, the present one first; null where nothing is encrypted. It is read when a drill
    /// begins.</summary>
    public string? SecretFile { get; init; }

    /// <summary>Kratos' <c>ciphers.algorithm</c>: <c>aes</c>, <c>xchacha20-poly1305</c> or <c>noop</c>.</summary>
    public string Algorithm { get; init; } = "aes";
}
