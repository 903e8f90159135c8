using System.Globalization;
using System.Text;

namespace PgBackup.Soak.Kinds;

/// <summary>
/// A database made up by random numbers: names of every character that PostgreSQL takes, objects of many kinds that need each other, rows
/// with values at their limits. Everything in it is right: PostgreSQL's own tools dump and restore it.
/// </summary>
internal sealed class RandomSchema
{
    private const int LongestName = 63;

    private static readonly string[] Pieces =
    [
        "a",
        "Z",
        "tab",
        "select",
        "\"",
        "'",
        "\\",
        "$$",
        "$1",
        "%",
        "%s",
        "%I",
        " ",
        "  " + "",
        "\t",
        "\n",
        "\r\n",
        "\u001b[31m",
        "\u202e",
        "\u200f",
        "é",
        "ß",
        "日本",
        "🐘",
        ";",
        "--",
        "/*",
        "*/",
        "{",
        "}",
        "[",
        "]",
        "<script>",
        "|",
        "&",
        "`",
        "$(id)",
        "${X}",
        ",",
        ":",
        "@",
        "#",
        "~",
        "\\!",
        "\\.",
        "\\gexec",
        "\u0001",
        "\u007f",
        "COPY",
        "FROM stdin;",
        ".",
        "/",
        "..",
    ];

    private static readonly (string Type, string[] Values)[] Types =
    [
        ("int", ["0", "-2147483648", "2147483647", "NULL"]),
        ("bigint", ["9223372036854775807", "-9223372036854775808", "1"]),
        ("numeric", ["'NaN'", "'Infinity'", "'-Infinity'", "1e-1000", "12345678901234567890.12345678901234567890"]),
        ("double precision", ["'NaN'", "'-Infinity'", "1e-300", "0.1", "'-0'"]),
        ("real", ["'Infinity'", "1.1", "3.4e38"]),
        (
            "text",
            [
                "E'\\\\N'",
                "E'\\\\.'",
                "E'\\n\\\\.\\n'",
                "''",
                "NULL",
                "E'\\t\\b\\f\\r\\x01\\x1b\\x7f'",
                "repeat('x', " + "100000)",
                "'\\''' || chr(34)",
                "'$$'",
                "'日本🐘'",
            ]
        ),
        ("bytea", ["'\\x'", "'\\x00ff5c0a'", "decode(repeat('00ff', 3000), 'hex')"]),
        ("timestamptz", ["'infinity'", "'-infinity'", "'2026-03-29 02:30:00 Europe/Berlin'", "'0044-03-15 BC'", "'294276-12-31'"]),
        ("date", ["'infinity'", "'4713-01-01 BC'", "'2000-02-29'"]),
        ("interval", ["'-1 year +2 mons -3.5 sec'", "'178000000 years'", "'0'"]),
        ("time with time zone", ["'24:00:00+15:59'", "'00:00:00-15:59'"]),
        ("jsonb", ["'{\"a\": [null, 1e400, \"\\u2028\"]}'", "'null'", "'[]'"]),
        ("json", ["'{\"a\":1, \"a\":2}'", "' [ ] '"]),
        ("xml", ["'<a>&lt;</a>'", "'text'"]),
        ("text[]", ["ARRAY['NULL', NULL, '', '{', '\"', E'\\\\']", "'{}'", "'[5:6]={a,b}'"]),
        ("int[]", ["'{{1,2},{3,4}}'", "ARRAY[]::int[]"]),
        ("money", ["'1.23'", "'-92233720368547758.08'"]),
        ("bit(5)", ["B'10101'"]),
        ("inet", ["'::1/64'", "'10.0.0.1/8'"]),
        ("int4range", ["'empty'", "'[1,)'", "'(,)'"]),
        ("tsvector", ["'a:1A b'", "'''it''''s'''"]),
        ("uuid", ["'00000000-0000-0000-0000-000000000000'"]),
        ("point", ["'(NaN,Infinity)'", "'(0,0)'"]),
        ("\"char\"", ["'\\001'", "''", "'x'"]),
        ("pg_lsn", ["'FFFFFFFF/FFFFFFFF'"]),
    ];

    private static readonly string[] Settings =
    [
        "timezone = 'Australia/Lord_Howe'",
        "datestyle = 'German, DMY'",
        "intervalstyle = 'iso_8601'",
        "bytea_output = " + "'escape'",
        "extra_float_digits = '-15'",
        "search_path = 'nowhere'",
        "lc_monetary = 'C'",
        "quote_all_identifiers = 'on'",
        "default_transaction_read_only = 'on'",
        "default_transaction_isolation = " + "'serializable'",
        "statement_timeout = '1'",
        "lock_timeout = '1'",
        "idle_session_timeout = '1'",
        "standard_conforming_strings = 'off'",
        "check_function_bodies = 'off'",
        "xmloption = 'document'",
        "row_security = " + "'off'",
        "client_encoding = 'LATIN1'",
        "synchronize_seqscans = 'off'",
        "work_mem = '64kB'",
        "session_replication_role = 'replica'",
        "transform_null_equals = 'on'",
        "array_nulls = 'off'",
        "default_tablespace = " + "''",
        "default_table_access_method = 'heap'",
        "escape_string_warning = 'on'",
        "my.own = 'a ''quoted'' value'",
        "client_min_messages = 'error'",
        "log_statement = 'all'",
        "role = 'none'",
    ];

    private readonly Strike strike;
    private readonly StringBuilder sql = new();
    private readonly HashSet<string> used = new(StringComparer.Ordinal);

    public RandomSchema(Strike strike)
    {
        this.strike = strike;
        // pg_dump itself refuses a line end in a database's name, and a config has no way to write a variable's sign and brace.
        Database = Name().Replace('\n', 'n').Replace('\r', 'r').Replace("${", "X{", StringComparison.Ordinal);
        Role = Name();
        Build();
    }

    /// <summary>Its name, unquoted.</summary>
    public string Database { get; }

    /// <summary>The role that owns some of it, unquoted.</summary>
    public string Role { get; }

    /// <summary>Carried out in <c>postgres</c>: makes role and database.</summary>
    public string Globals { get; private set; } = "";

    /// <summary>Carried out in the database.</summary>
    public string Script => sql.ToString();

    /// <summary>Carried out in <c>postgres</c> when the database is filled: settings, which must not disturb that.</summary>
    public string Afterwards { get; private set; } = "";

    /// <summary>Carried out in <c>postgres</c>: removes both.</summary>
    public string Removal => $"DROP DATABASE IF EXISTS {Quoted(Database)} WITH (FORCE);\nDROP ROLE IF EXISTS {Quoted(Role)};";

    public static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    // Told apart by their first character, which is a letter: so that none is empty or ends in nothing but blanks.
    private string Name()
    {
        while (true)
        {
            var name = new StringBuilder();
            name.Append((char)('a' + strike.Random.Next(26)));
            for (int i = strike.Random.Next(1, 7); i > 0; i--)
            {
                name.Append(strike.Pick(Pieces));
            }

            if (strike.Chance(0.15))
            {
                name.Append('l', LongestName);
            }

            while (Encoding.UTF8.GetByteCount(name.ToString()) > LongestName || char.IsHighSurrogate(name[^1]))
            {
                name.Length--;
            }

            if (used.Add(name.ToString()))
            {
                return name.ToString();
            }
        }
    }

    private string NewName() => Quoted(Name());

    private string Literal() => $"'{Name().Replace("'", "''", StringComparison.Ordinal)}'";

    private void Add(string statement) => sql.Append(statement).Append(";\n");

    private void Build()
    {
        string database = Quoted(Database);
        string role = Quoted(Role);
        Globals =
            $"CREATE ROLE {role} "
            + $"{strike.Pick("LOGIN PASSWORD 'x''y\"z'", "NOLOGIN", "LOGIN CONNECTION LIMIT 3 VALID UNTIL 'infinity'", "CREATEDB")};\n"
            + $"COMMENT ON ROLE {role} IS {Literal()};\nCREATE DATABASE {database} OWNER {role};\nCOMMENT ON DATABASE {database} IS "
            + $"{Literal()};\nGRANT CONNECT ON DATABASE {database} TO {role};";
        string schema = strike.Chance(0.5) ? "public" : NewName();
        if (schema != "public")
        {
            Add($"CREATE SCHEMA {schema} AUTHORIZATION {role}");
        }

        Add("SET standard_conforming_strings = on");
        string enumeration = schema + "." + NewName();
        string[] labels = [Literal(), Literal(), Literal()];
        Add($"CREATE TYPE {enumeration} AS ENUM ({string.Join(", ", labels)})");
        string domain = schema + "." + NewName();
        Add($"CREATE DOMAIN {domain} AS int CHECK (VALUE IS NULL OR VALUE > -5) DEFAULT 3");
        Add($"CREATE TYPE {schema}.{NewName()} AS ({NewName()} int, {NewName()} text)");
        string function = schema + "." + NewName();
        Add($"CREATE FUNCTION {function}(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'");
        for (int i = strike.Random.Next(1, 4); i > 0; i--)
        {
            Table(schema, enumeration, labels, domain, function);
        }

        Add($"CREATE TABLE {schema}.{NewName()} ()");
        Others(schema, role);
        Partitions(schema);
        if (strike.Chance(0.5))
        {
            Add($"SELECT lo_from_bytea(0, convert_to(repeat({Literal()}, {strike.Random.Next(1, 3000)}), 'UTF8'))");
        }

        Afterwards = string.Join(
            "\n",
            Enumerable
                .Range(0, strike.Random.Next(5))
                .Select(_ =>
                    strike.Pick(
                        $"ALTER DATABASE {database} SET {strike.Pick(Settings)};",
                        $"ALTER ROLE {role} SET {strike.Pick(Settings)};",
                        $"ALTER ROLE " + $"{role} IN DATABASE {database} SET {strike.Pick(Settings)};"
                    )
                )
        );
    }

    private void Table(string schema, string enumeration, string[] labels, string domain, string function)
    {
        string table = schema + "." + NewName();
        (string Name, string Type, string[] Values)[] columns =
        [
            .. Enumerable.Range(0, strike.Random.Next(1, 6)).Select(_ => strike.Pick(Types)).Select(t => (NewName(), t.Type, t.Values)),
            (NewName(), enumeration, labels),
            (NewName(), domain, ["1", "NULL", "7"]),
        ];
        string id = NewName();
        string generated = NewName();
        Add(
            $"CREATE TABLE {table} ({id} bigint GENERATED {strike.Pick("ALWAYS", "BY DEFAULT")} AS IDENTITY PRIMARY KEY, "
                + $"{string.Join(", ", columns.Select(static c => $"{c.Name} {c.Type}"))}, "
                + $"{generated} int GENERATED ALWAYS AS ({function}({columns[^1].Name}::int)) STORED, CONSTRAINT {NewName()} CHECK "
                + $"({id} > 0))"
        );
        for (int row = strike.Random.Next(0, 12); row > 0; row--)
        {
            Add(
                $"INSERT INTO {table} ({string.Join(", ", columns.Select(static c => c.Name))}) VALUES "
                    + $"({string.Join(", ", columns.Select(c => strike.Pick(c.Values)))})"
            );
        }

        Add($"COMMENT ON TABLE {table} IS {Literal()}");
        Add($"COMMENT ON COLUMN {table}.{columns[0].Name} IS {Literal()}");
        switch (strike.Random.Next(7))
        {
            case 0:
                // In this order: a column that the parent gets later comes back at another place, which docs/design/archives.md allows.
                Add($"ALTER TABLE {table} ADD {NewName()} text DEFAULT {Literal()}");
                Add($"CREATE TABLE {schema}.{NewName()} ({NewName()} text DEFAULT {Literal()}) INHERITS ({table})");
                break;
            case 1:
                Add($"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY");
                Add($"CREATE POLICY {NewName()} ON {table} USING ({id} > 0)");
                break;
            case 2:
                string trigger = schema + "." + NewName();
                Add($"CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS $t$ BEGIN RETURN NEW; END $t$");
                Add($"CREATE TRIGGER {NewName()} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {trigger}()");
                break;
            case 3:
                Add(
                    $"CREATE MATERIALIZED VIEW {schema}.{NewName()} AS SELECT {id}, {generated} FROM {table} WITH "
                        + $"{strike.Pick("", "NO ")}DATA"
                );
                break;
            case 4:
                Add($"CREATE INDEX {NewName()} ON {table} ({function}({id}::int)) WHERE {id} > 2");
                Add($"CREATE STATISTICS {schema}.{NewName()} ON {id}, {generated} FROM {table}");
                break;
            case 5:
                Add($"ALTER TABLE {table} DROP COLUMN {columns[0].Name}");
                Add($"ALTER TABLE {table} ADD CONSTRAINT {NewName()} FOREIGN KEY ({generated}) REFERENCES {table} NOT VALID");
                break;
            default:
                Add($"CREATE VIEW {schema}.{NewName()} AS SELECT {id} AS {NewName()} FROM {table} WHERE {columns[^2].Name} = {labels[0]}");
                Add($"CREATE RULE {NewName()} AS ON DELETE TO {table} DO INSTEAD NOTHING");
                break;
        }
    }

    private void Others(string schema, string role)
    {
        string sequence = schema + "." + NewName();
        Add(
            $"CREATE SEQUENCE {sequence} "
                + $"{strike.Pick("MAXVALUE 9223372036854775807 START 9223372036854775807", "AS smallint MINVALUE -32768 INCREMENT -1 CYCLE", "CACHE 50")}"
        );
        if (strike.Chance(0.5))
        {
            Add($"SELECT nextval({"'" + sequence.Replace("'", "''", StringComparison.Ordinal) + "'"})");
        }

        Add($"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role} {strike.Pick("", "WITH GRANT OPTION")}");
        Add(
            $"ALTER DEFAULT PRIVILEGES FOR ROLE {role} {(strike.Chance(0.5) ? $"IN SCHEMA {schema}" : "")} GRANT SELECT ON TABLES TO "
                + $"PUBLIC"
        );
        if (strike.Chance(0.3))
        {
            Add($"CREATE PUBLICATION {NewName()} FOR ALL TABLES");
        }

        if (strike.Chance(0.3))
        {
            Add($"CREATE COLLATION {schema}.{NewName()} (provider = icu, locale = 'de-u-co-phonebk')");
        }
    }

    private void Partitions(string schema)
    {
        string parent = schema + "." + NewName();
        string key = NewName();
        Add($"CREATE TABLE {parent} ({key} int NOT NULL, {NewName()} text) PARTITION BY {strike.Pick("RANGE", "LIST")} ({key})");
        Add($"CREATE TABLE {schema}.{NewName()} PARTITION OF {parent} DEFAULT");
        Add(
            $"INSERT INTO {parent} SELECT i, {Literal()} FROM generate_series(1, "
                + $"{strike.Random.Next(40).ToString(CultureInfo.InvariantCulture)}) i"
        );
        Add($"CREATE INDEX ON {parent} ({key})");
    }
}
