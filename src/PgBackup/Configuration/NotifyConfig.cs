namespace PgBackup.Configuration;

/// <summary>One way to tell somebody (an item of <c>notify:</c>). Exactly one of <see cref="PingFile"/>, <see cref="WebhookFile"/>,
/// <see cref="Smtp"/> and <see cref="Command"/> is set.</summary>
public sealed record NotifyConfig
{
    /// <summary>A name that tells it from the others and has no secret in it: <c>webhook /etc/olympus-pgbackup/hook.url</c>.</summary>
    public required string Name { get; init; }

    /// <summary>A file with the URL of a dead man's switch: it is told when a run starts, and how it ended.</summary>
    public string? PingFile { get; init; }

    /// <summary>A file with the URL that takes notices by POST.</summary>
    public string? WebhookFile { get; init; }

    /// <summary>The shape of what the webhook gets.</summary>
    public WebhookStyle Style { get; init; }

    /// <summary>A mail server.</summary>
    public SmtpConfig? Smtp { get; init; }

    /// <summary>A program and its arguments; the notice is on its stdin.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>What it is told; empty for a dead man's switch.</summary>
    public required IReadOnlyList<NoticeTopic> On { get; init; }

    /// <summary>It misses the runs that did not happen.</summary>
    public bool IsDeadMansSwitch => PingFile is not null;
}

/// <summary>What a channel may be told (<c>on:</c>).</summary>
public enum NoticeTopic
{
    /// <summary>Something became wrong, or is wrong for another day.</summary>
    Red,

    /// <summary>Somebody should look.</summary>
    Yellow,

    /// <summary>It is well again.</summary>
    Recovered,

    /// <summary>How each drill ended.</summary>
    Drill,
}

/// <summary>The shape of a webhook's body.</summary>
public enum WebhookStyle
{
    /// <summary>The notice as <c>docs/notices.md</c> describes it.</summary>
    Json,

    /// <summary>A text, as Slack, Mattermost and Rocket.Chat take it.</summary>
    Slack,
}

/// <summary>A mail server that takes notices.</summary>
public sealed record SmtpConfig
{
    /// <summary>Its host.</summary>
    public required string Host { get; init; }

    /// <summary>Its port.</summary>
    public required int Port { get; init; }

    /// <summary>How the connection is encrypted.</summary>
    public required SmtpTls Tls { get; init; }

    /// <summary>The sender's address.</summary>
    public required string From { get; init; }

    /// <summary>The recipients' addresses.</summary>
    public required IReadOnlyList<string> To { get; init; }

    /// <summary>The name to sign in with; null where the server asks for none.</summary>
    public string? User { get; init; }

    /// <summary>A file with the password, read for each mail.</summary>
    public string? PasswordFile { get; init; }
}

/// <summary>How a connection to a mail server is encrypted.</summary>
public enum SmtpTls
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>By STARTTLS, before anything else is said; never without.</summary>
    StartTls,

    /// <summary>From its first byte.</summary>
    Implicit,
}
