using System.Globalization;
using System.Net;
using PgBackup.Host;

namespace PgBackup.Postgres;

/// <summary>
/// How to reach a server, as the environment of libpq sees it (PostgreSQL manual, "Environment Variables" of libpq). Immutable;
/// a password is never part of <see cref="ToString"/> nor of any argument list.
/// </summary>
public sealed record PgConnection
{
    // Every parameter of a connection URI that has an environment variable; the others cannot be passed on safely.
    private static readonly Dictionary<string, string> Variables = new(StringComparer.Ordinal)
    {
        ["host"] = "PGHOST",
        ["hostaddr"] = "PGHOSTADDR",
        ["port"] = "PGPORT",
        ["user"] = "PGUSER",
        ["dbname"] = "PGDATABASE",
        ["password"] = "PGPASSWORD",
        ["passfile"] = "PGPASSFILE",
        ["channel_binding"] = "PGCHANNELBINDING",
        ["connect_timeout"] = "PGCONNECT_TIMEOUT",
        ["options"] = "PGOPTIONS",
        ["sslmode"] = "PGSSLMODE",
        ["sslnegotiation"] = "PGSSLNEGOTIATION",
        ["sslcert"] = "PGSSLCERT",
        ["sslkey"] = "PGSSLKEY",
        ["sslrootcert"] = "PGSSLROOTCERT",
        ["sslcrl"] = "PGSSLCRL",
        ["sslcrldir"] = "PGSSLCRLDIR",
        ["sslsni"] = "PGSSLSNI",
        ["ssl_min_protocol_version"] = "PGSSLMINPROTOCOLVERSION",
        ["ssl_max_protocol_version"] = "PGSSLMAXPROTOCOLVERSION",
        ["gssencmode"] = "PGGSSENCMODE",
        ["krbsrvname"] = "PGKRBSRVNAME",
        ["require_auth"] = "PGREQUIREAUTH",
        ["requirepeer"] = "PGREQUIREPEER",
        ["target_session_attrs"] = "PGTARGETSESSIONATTRS",
        ["load_balance_hosts"] = "PGLOADBALANCEHOSTS",
        ["application_name"] = "PGAPPNAME",
    };

    // Parameters of a connection URI without an environment variable, and what they are for a server behind a network: one that is gone
    // without a word (a firewall that forgot the connection, a host that lost its power) is noticed within two minutes.
    private static readonly Dictionary<string, string> Watching = new(StringComparer.Ordinal)
    {
        ["keepalives"] = "1",
        ["keepalives_idle"] = "60",
        ["keepalives_interval"] = "15",
        ["keepalives_count"] = "4",
        ["tcp_user_timeout"] = "120000",
    };

    // The parameters that have but a few values (PostgreSQL manual, "Parameter Key Words").
    private static readonly Dictionary<string, string[]> Values = new(StringComparer.Ordinal)
    {
        ["sslmode"] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
        ["channel_binding"] = ["require", "prefer", "disable"],
        ["sslnegotiation"] = ["postgres", "direct"],
        ["sslsni"] = ["0", "1"],
        ["ssl_min_protocol_version"] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
        ["ssl_max_protocol_version"] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
        ["gssencmode"] = ["disable", "prefer", "require"],
        ["target_session_attrs"] = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
        ["load_balance_hosts"] = ["disable", "random"],
    };

    // As said in the URI.
    private IReadOnlyDictionary<string, string> Own { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    // The bundles of Debian and of Red Hat; as a file they serve every version of libpq, and images that have none.
    private static readonly string[] SystemCertificates = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

    // What must not leak from the operator's shell into a connection that the config defines.
    private static readonly string[] Inherited =
    [
        .. Variables.Values.Where(static v => v is not ("PGPASSWORD" or "PGPASSFILE")),
        "PGSERVICE",
        "PGSERVICEFILE",
        "PGDATESTYLE",
        "PGTZ",
        "PGCLIENTENCODING",
        "PGGEQO",
    ];

    /// <summary>The libpq variables of this connection, password included.</summary>
    public required IReadOnlyDictionary<string, string> Settings { get; init; }

    /// <summary>The parameters that libpq takes only in a connection string; empty for a connection without a network.</summary>
    public IReadOnlyDictionary<string, string> Parameters =>
        Host is null or "" or ['/' or '@', ..] && !Settings.ContainsKey("PGHOSTADDR")
            ? Own
            : Watching.ToDictionary(static w => w.Key, w => Own.GetValueOrDefault(w.Key, w.Value), StringComparer.Ordinal);

    /// <summary>Host name, socket folder, or null for libpq's default.</summary>
    public string? Host => Settings.GetValueOrDefault("PGHOST");

    /// <summary>The role, or null for libpq's default.</summary>
    public string? User => Settings.GetValueOrDefault("PGUSER");

    /// <summary>The database named in the URL, or null.</summary>
    public string? Database => Settings.GetValueOrDefault("PGDATABASE");

    /// <summary>True when the server is not on this machine: TLS then has to be asked for.</summary>
    public bool IsRemote => $"{Host},{Settings.GetValueOrDefault("PGHOSTADDR")}".Split(',').Any(static host => !IsHere(host));

    /// <summary>The places where the server may be, as <c>host:port</c>; whatever means this machine is <c>localhost</c>.</summary>
    internal IEnumerable<string> Endpoints
    {
        get
        {
            string[] hosts = (Host ?? "").Split(',');
            string[] addresses = Settings.GetValueOrDefault("PGHOSTADDR")?.Split(',') ?? [];
            string[] ports = (Settings.GetValueOrDefault("PGPORT") ?? "").Split(',');
            for (int i = 0; i < Math.Max(hosts.Length, addresses.Length); i++)
            {
                string port = ports.ElementAtOrDefault(ports.Length == 1 ? 0 : i) is { Length: > 0 } named ? named : "5432";
                string host = hosts.ElementAtOrDefault(i) ?? "";
                string address = addresses.ElementAtOrDefault(i) ?? "";
                foreach (string place in address.Length > 0 ? (string[])[host, address] : [host])
                {
                    if (place.Length > 0 || address.Length == 0)
                    {
                        yield return $"{(IsHere(place) ? "localhost" : place.ToUpperInvariant())}:{port}";
                    }
                }
            }
        }
    }

    /// <summary>A connection inside a container: its own default socket, as one role.</summary>
    public static PgConnection InContainer(string user, string? password) =>
        new()
        {
            Settings = password is null
                ? new Dictionary<string, string> { ["PGUSER"] = user }
                : new Dictionary<string, string> { ["PGUSER"] = user, ["PGPASSWORD"] = password },
        };

    /// <summary>
    /// Reads a libpq connection URI (PostgreSQL manual, "Connection URIs"): several hosts, percent-encoding and parameters included.
    /// </summary>
    /// <exception cref="FormatException">What is wrong, without any password.</exception>
    public static PgConnection Parse(string url)
    {
        int schemeEnd = url.IndexOf("://", StringComparison.Ordinal);
        if (schemeEnd < 0 || url[..schemeEnd] is not ("postgres" or "postgresql"))
        {
            throw new FormatException("it must start with postgres:// or postgresql://");
        }

        string rest = url[(schemeEnd + 3)..];
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        var own = new Dictionary<string, string>(StringComparer.Ordinal);
        int question = rest.IndexOf('?', StringComparison.Ordinal);
        string query = question < 0 ? "" : rest[(question + 1)..];
        rest = question < 0 ? rest : rest[..question];
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string database = slash < 0 ? "" : rest[(slash + 1)..];
        string authority = slash < 0 ? rest : rest[..slash];
        int at = authority.LastIndexOf('@');
        string hosts = authority[(at + 1)..];
        if (at >= 0)
        {
            string[] who = authority[..at].Split(':', 2);
            Set(settings, "PGUSER", who[0]);
            Set(settings, "PGPASSWORD", who.Length > 1 ? who[1] : "");
        }

        ReadHosts(settings, hosts);
        Set(settings, "PGDATABASE", database);
        foreach (string pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = pair.Split('=', 2);
            if (parts.Length != 2)
            {
                throw Wrong($"the parameter \"{parts[0]}\" has no value");
            }

            if (Watching.ContainsKey(parts[0]))
            {
                own[parts[0]] = int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out _)
                    ? parts[1]
                    : throw Wrong($"the parameter \"{parts[0]}\" is not a number: \"{parts[1]}\"");
                continue;
            }

            string name = parts[0] == "ssl" && parts[1] == "true" ? "sslmode" : parts[0];
            if (!Variables.TryGetValue(name, out string? variable))
            {
                throw Wrong(
                    $"the parameter \"{name}\" is not supported; supported are {string.Join(", ", Variables.Keys.Concat(Watching.Keys))}"
                );
            }

            if (name == parts[0] && Values.TryGetValue(name, out string[]? values) && !values.Contains(parts[1], StringComparer.Ordinal))
            {
                throw Wrong($"{name} has no value \"{parts[1]}\"; it has {string.Join(", ", values)}");
            }

            Set(settings, variable, name == parts[0] ? parts[1] : "require");
        }

        if (
            settings.TryGetValue("PGPORT", out string? port)
            && port.Split(',')
                .Any(static p =>
                    p.Length > 0 && !(ushort.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) && number > 0)
                )
        )
        {
            throw Wrong($"the port \"{port}\" is not a number from 1 to 65535");
        }

        return new PgConnection { Settings = settings, Own = own };

        // With a / or ? in a password, what looks like a port or a parameter is a piece of it.
        FormatException Wrong(string what) =>
            new(
                at < 0 && url.Contains('@', StringComparison.Ordinal) ? "a / or ? in the user or password must be written %2F or %3F" : what
            );
    }

    /// <summary>The same connection with one variable set.</summary>
    public PgConnection With(string variable, string value) =>
        this with
        {
            Settings = new Dictionary<string, string>(Settings, StringComparer.Ordinal) { [variable] = value },
        };

    /// <summary>The same connection with the password that a file holds (its line end does not count); unchanged for null.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.Connection"/>: the file cannot be read.</exception>
    public PgConnection WithPasswordOf(string? file)
    {
        if (file is null)
        {
            return this;
        }

        TrustedFile.Require(file, "password file");
        try
        {
            return With("PGPASSWORD", SmallFile.Text(file).TrimEnd('\r', '\n'));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PgBackupException(
                ErrorCode.Connection,
                $"the password file {file} cannot be read: {e.Message}",
                "Check its path, owner and mode.",
                e
            );
        }
    }

    /// <summary>
    /// The same connection with what libpq would take from the operator's surroundings, said outright, so that it also holds for tools
    /// in a container: the password of PGPASSWORD, else the file of PGPASSFILE or ~/.pgpass; and for verified TLS without a named root
    /// certificate ~/.postgresql/root.crt, else the system's authorities.
    /// </summary>
    public PgConnection WithSurroundings()
    {
        PgConnection result = this;
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (!Settings.ContainsKey("PGPASSWORD") && !Settings.ContainsKey("PGPASSFILE"))
        {
            string? file = Environment.GetEnvironmentVariable("PGPASSFILE") ?? Path.Combine(home, ".pgpass");
            result =
                Environment.GetEnvironmentVariable("PGPASSWORD") is { Length: > 0 } password ? result.With("PGPASSWORD", password)
                : File.Exists(file) ? result.With("PGPASSFILE", Path.GetFullPath(file))
                : result;
        }

        bool system = Settings.GetValueOrDefault("PGSSLROOTCERT") is null or "system";
        string? root = new[] { Path.Combine(home, ".postgresql", "root.crt") }.Concat(SystemCertificates).FirstOrDefault(File.Exists);
        return system && root is not null && Settings.GetValueOrDefault("PGSSLMODE") is "verify-full" or "verify-ca"
            ? result.With(
                "PGSSLROOTCERT",
                Settings.ContainsKey("PGSSLROOTCERT") ? SystemCertificates.FirstOrDefault(File.Exists) ?? "system" : root
            )
            : result;
    }

    /// <summary>
    /// The environment for a tool that connects to one database: every variable of libpq is either set by this connection or
    /// removed, but for a password or password file that the operator's own environment provides.
    /// </summary>
    public Dictionary<string, string?> EnvironmentFor(string? database, string applicationName)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (string variable in Inherited)
        {
            environment[variable] = null;
        }

        foreach ((string variable, string value) in Settings)
        {
            environment[variable] = value;
        }

        if (database is not null)
        {
            environment["PGDATABASE"] = database;
        }

        environment["PGAPPNAME"] = applicationName;
        environment["PGCONNECT_TIMEOUT"] = Settings.GetValueOrDefault("PGCONNECT_TIMEOUT", "15");
        return environment;
    }

    /// <summary>The place without its secret: <c>postgres://reader@host:5432</c>.</summary>
    public override string ToString()
    {
        string port = Settings.TryGetValue("PGPORT", out string? p) ? ":" + p : "";
        return $"postgres://{(User is null ? "" : User + "@")}{Host ?? "localhost"}{port}";
    }

    private static bool IsHere(string host) =>
        host.Length == 0
        || host[0] is '/' or '@'
        || host is "localhost"
        || (IPAddress.TryParse(host, out IPAddress? address) && IPAddress.IsLoopback(address));

    private static void ReadHosts(Dictionary<string, string> settings, string hosts)
    {
        if (hosts.Length == 0)
        {
            return;
        }

        List<string> names = [];
        List<string> ports = [];
        foreach (string part in hosts.Split(','))
        {
            int bracket = part.LastIndexOf(']');
            int colon = part.IndexOf(':', bracket < 0 ? 0 : bracket);
            names.Add((colon < 0 ? part : part[..colon]).Trim('[', ']'));
            ports.Add(colon < 0 ? "" : part[(colon + 1)..]);
        }

        Set(settings, "PGHOST", string.Join(',', names));
        if (ports.Any(static p => p.Length > 0))
        {
            Set(settings, "PGPORT", string.Join(',', ports));
        }
    }

    private static void Set(Dictionary<string, string> settings, string variable, string value)
    {
        if (value.Length > 0)
        {
            settings[variable] = Uri.UnescapeDataString(value);
        }
    }
}
