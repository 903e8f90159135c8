using System.Globalization;
using System.Text.RegularExpressions;
using PgBackup.Tools;

namespace PgBackup.Storage.Rclone;

/// <summary>
/// Calls of rclone for one remote, and what its words mean. Its exit codes differ between versions and remotes, so that only "not 0"
/// counts; a success that matters is looked at again by the caller.
/// </summary>
internal sealed partial class RcloneCommand
{
    private static readonly TimeSpan[] Pauses = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4)];

    private static readonly string[] Full =
    [
        "no space left on device",
        "QuotaExceeded",
        "quota exceeded",
        "Insufficient Storage",
        "disk quota",
    ];
    private static readonly string[] NoRemote = ["didn't find section in config file", "couldn't find type", "didn't find backend"];

    // Nobody can type the password of rclone's config at night.
    private static readonly string[] Locked = ["unable to decrypt configuration"];
    private static readonly string[] NoBucket = ["NoSuchBucket", "bucket not found", "container not found", "ContainerNotFound"];

    private static readonly string[] Refused =
    [
        "AccessDenied",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "Forbidden",
        "Unauthorized",
        "unable to authenticate",
        "bad_auth_token",
        "invalid_grant",
        "permission denied",
        "status code: 401",
        "status code: 403",
        "couldn't fetch token",
    ];

    private static readonly string[] Passing =
    [
        "connection refused",
        "connection reset",
        "connection timed out",
        "i/o timeout",
        "handshake timeout",
        "TLS handshake",
        "deadline exceeded",
        "network is unreachable",
        "no route to host",
        "server misbehaving",
        "temporary failure",
        "broken pipe",
        "unexpected EOF",
        "connection lost",
        "use of closed network connection",
        "Client.Timeout",
        "SlowDown",
        "ServiceUnavailable",
        "Service Unavailable",
        "InternalError",
        "Internal Server Error",
        "Bad Gateway",
        "Gateway Time",
        "RequestTimeout",
        "Too Many Requests",
        "TooManyRequests",
        "rate limit",
        "rateLimitExceeded",
    ];

    private readonly string remote;
    private readonly string parameters;
    private readonly string? configFile;
    private readonly TimeProvider clock;

    /// <summary>Calls for a remote, as <see cref="RcloneStore"/> gets it.</summary>
    public RcloneCommand(string store, string remote, string? configFile, TimeProvider clock)
    {
        Store = store;
        this.configFile = configFile;
        this.clock = clock;
        string trimmed = remote.TrimEnd('/');
        this.remote = trimmed.Length < remote.Length && (trimmed.Length == 0 || trimmed.EndsWith(':')) ? trimmed + "/" : trimmed;
        parameters = ParametersOf(this.remote);
        Location = WithoutSecrets(this.remote);
    }

    /// <summary>The store's name in the config.</summary>
    public string Store { get; }

    /// <summary>The program.</summary>
    public string Program { get; init; } = "rclone";

    /// <summary>The remote as messages show it: without the parameters of one that is defined on the fly, which may be secrets.</summary>
    public string Location { get; }

    /// <summary>A key, or with an empty one the root, as rclone wants it.</summary>
    public string PathOf(string key) => key.Length == 0 || remote.EndsWith(':') || remote.EndsWith('/') ? remote + key : $"{remote}/{key}";

    /// <summary>Starts a call whose output streams.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolMissing"/>.</exception>
    public ToolProcess Start(params IReadOnlyList<string> arguments) => Start(5, arguments);

    /// <summary>
    /// Starts a call that moves data which cannot be moved again: one that retries for a minute and a half, with growing pauses,
    /// where the others give up after some seconds.
    /// </summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.ToolMissing"/>.</exception>
    public ToolProcess StartPatient(params IReadOnlyList<string> arguments) => Start(10, arguments);

    /// <summary>Runs a short call to its end; when it fails for a reason that may pass, up to three times.</summary>
    public async Task<ToolResult> RunAsync(string? input, CancellationToken cancel, params IReadOnlyList<string> arguments)
    {
        for (int attempt = 0; ; attempt++)
        {
            ToolResult result;
            await using (ToolProcess tool = Start(arguments))
            {
                result = await tool.FinishAsync(input, cancel);
            }

            if (result.ExitCode == 0 || !await MayTryAgainAsync(attempt, IsTransient(result.Errors), cancel))
            {
                return result;
            }
        }
    }

    /// <summary>Waits before the next attempt; false when there is none.</summary>
    public async Task<bool> MayTryAgainAsync(int attempt, bool isTransient, CancellationToken cancel)
    {
        if (!isTransient || attempt >= Pauses.Length)
        {
            return false;
        }

        await Task.Delay(Pauses[attempt], clock, cancel);
        return true;
    }

    /// <summary>rclone says that the folder, or what stands for it, does not exist.</summary>
    public static bool IsMissing(IReadOnlyList<string> errors) => Has(errors, "directory not found", "object not found");

    /// <summary>The same call may succeed a little later.</summary>
    public static bool IsTransient(IReadOnlyList<string> errors) =>
        !Has(errors, Full) && !Has(errors, Refused) && (Has(errors, Passing) || errors.Any(static line => BusyStatus().IsMatch(line)));

    /// <summary>The error for a call that failed, quoting rclone without its timestamps.</summary>
    public PgBackupException Failure(string verb, IReadOnlyList<string> errors, Exception? inner = null)
    {
        string command = configFile is null ? "rclone" : $"rclone --config {ShellText.Word(configFile)}";
        string place = ShellText.Word(Location);
        string remedy = true switch
        {
            _ when Has(errors, Full) => "Make room, or raise the quota; no object was left half-written.",
            _ when Has(errors, Locked) =>
                $"rclone's config has a password. Give RCLONE_CONFIG_PASS or RCLONE_PASSWORD_COMMAND to what starts the backup, or take it "
                    + $"off: `{command} config`, then s and u.",
            _ when Has(errors, NoRemote) =>
                $"`{command} listremotes` shows the remotes, and `{command} config` makes one; cron and sudo have another home "
                    + $"folder, so name the config file.",
            _ when Has(errors, NoBucket) => $"Make the bucket (`{command} mkdir {place}`), or correct its name; a backup never makes one.",
            _ when Has(errors, Refused) =>
                $"Check the rights and the credentials: `{command} lsd {place}` tries them, `{command} config` changes them.",
            _ when IsTransient(errors) => $"The connection or the service fails, which may pass; `{command} lsd {place}` tries it.",
            _ => $"Try `{command} lsd {place}`; `{command} config` shows how the remote is set up.",
        };
        string quote = Quote(errors);
        return new PgBackupException(
            ErrorCode.StoreUnavailable,
            Has(errors, Full)
                ? $"the store {Store} ({Location}) is full: rclone {verb} failed{quote}"
                : $"the store {Store} ({Location}) cannot be used: rclone {verb} failed{quote}",
            remedy,
            inner
        )
        {
            IsTransient = IsTransient(errors),
            IsFull = Has(errors, Full),
        };
    }

    /// <summary>The error for an object that is not there.</summary>
    public PgBackupException Lacks(string key) => new(ErrorCode.ObjectDamaged, $"the store {Store} has no object {key}.");

    private static bool Has(IReadOnlyList<string> errors, params IReadOnlyList<string> words) =>
        errors.Any(line => words.Any(word => line.Contains(word, StringComparison.OrdinalIgnoreCase)));

    // ":s3,access_key_id=...,secret_access_key=...:bucket" and "b2,account=...:bucket": from the comma to the colon; a value may be quoted.
    private static string ParametersOf(string remote)
    {
        int comma = -1;
        char quote = '\0';
        for (int i = 1; i < remote.Length; i++)
        {
            char c = remote[i];
            if (quote != '\0')
            {
                quote = c == quote ? '\0' : quote;
            }
            else if (comma >= 0 && c is '"' or '\'')
            {
                quote = c;
            }
            else if (c == ':')
            {
                return comma >= 0 ? remote[comma..i] : "";
            }
            else if (c == '/' && comma < 0)
            {
                return "";
            }
            else if (c == ',' && comma < 0)
            {
                comma = i;
            }
        }

        return "";
    }

    [GeneratedRegex(@"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(\.\d+)? ")]
    private static partial Regex Timestamp();

    [GeneratedRegex(@"status code: (429|50[0-4])|\b(429|50[0-4]) [A-Z][a-z]+ ")]
    private static partial Regex BusyStatus();

    private ToolProcess Start(int retries, IReadOnlyList<string> arguments)
    {
        // A config with a password would be asked for it on stdin, where the object's bytes are.
        var command = new ToolCommand(
            Program,
            [
                arguments[0],
                "--ask-password=false",
                "--retries",
                "1",
                "--low-level-retries",
                retries.ToString(CultureInfo.InvariantCulture),
                .. arguments.Skip(1),
            ]
        )
        {
            Label = $"rclone {arguments[0]}",
            Environment = Environment(),
        };
        try
        {
            return ToolProcess.Start(command);
        }
        catch (PgBackupException e) when (e.Code == ErrorCode.ToolMissing)
        {
            throw new PgBackupException(
                ErrorCode.ToolMissing,
                e.Message,
                $"The store {Store} needs it: `apt-get install rclone`, or see rclone.org/install. {e.Remedy}",
                e
            );
        }
    }

    // The operator's surroundings may make rclone talk where its output is read, write nothing, or leave objects out of its listings.
    private static readonly string[] Unset =
    [
        "VERBOSE",
        "QUIET",
        "PROGRESS",
        "PROGRESS_TERMINAL_TITLE",
        "LOG_LEVEL",
        "LOG_FILE",
        "LOG_FORMAT",
        "USE_JSON_LOG",
        "SYSLOG",
        "STATS",
        "STATS_ONE_LINE",
        "STATS_LOG_LEVEL",
        "DUMP",
        "DRY_RUN",
        "INTERACTIVE",
        "MAX_TRANSFER",
        "MAX_DURATION",
        "FILTER",
        "FILTER_FROM",
        "INCLUDE",
        "INCLUDE_FROM",
        "EXCLUDE",
        "EXCLUDE_FROM",
        "EXCLUDE_IF_PRESENT",
        "FILES_FROM",
        "FILES_FROM_RAW",
        "MIN_AGE",
        "MAX_AGE",
        "MIN_SIZE",
        "MAX_SIZE",
        "MAX_DEPTH",
    ];

    // By environment, since a version that does not know one of these would refuse it as a flag. Buckets are made by people:
    // one that is missing is more likely misspelt.
    private Dictionary<string, string?> Environment()
    {
        var variables = new Dictionary<string, string?>
        {
            ["AWS_CA_BUNDLE"] = null, // rclone 1.60 fails every call to S3 while it is set; its own is RCLONE_CA_CERT
            ["RCLONE_S3_NO_CHECK_BUCKET"] = "true",
            ["RCLONE_GCS_NO_CHECK_BUCKET"] = "true",
            ["RCLONE_OOS_NO_CHECK_BUCKET"] = "true",
            ["RCLONE_AZUREBLOB_NO_CHECK_CONTAINER"] = "true",
        };
        foreach (string name in Unset)
        {
            variables["RCLONE_" + name] = null;
        }

        if (configFile is not null)
        {
            variables["RCLONE_CONFIG"] = configFile;
        }

        return variables;
    }

    private string WithoutSecrets(string text) =>
        parameters.Length == 0 ? text : text.Replace(parameters, ",...", StringComparison.Ordinal);

    private string Quote(IReadOnlyList<string> errors)
    {
        string[] lines =
        [
            .. errors
                .Select(line => WithoutSecrets(Timestamp().Replace(line, "")).Trim())
                .Where(static line => line.Length > 0 && !line.StartsWith("ERROR : Attempt ", StringComparison.Ordinal))
                .Distinct(StringComparer.Ordinal),
        ];
        return lines.Length == 0 ? "." : $":\n  {Quotation.Joined(lines, 6)}";
    }
}
