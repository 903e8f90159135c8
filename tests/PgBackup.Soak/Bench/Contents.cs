namespace PgBackup.Soak.Bench;

/// <summary>What lies in the servers that are backed up: small, and of everything something.</summary>
internal static class Contents
{
    public static IReadOnlyList<string> Databases { get; } = ["shop", "mail"];

    public const string Globals = """
        CREATE ROLE shopkeeper LOGIN PASSWORD 'a password of the campaign'; CREATE ROLE reader; GRANT reader TO shopkeeper;
        CREATE DATABASE shop OWNER shopkeeper; CREATE DATABASE mail;
        """;

    public const string Shop = """
        CREATE TYPE state AS ENUM ('new', 'paid', 'sent');
        CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, joined timestamptz DEFAULT now());
        CREATE TABLE orders (id serial PRIMARY KEY, customer bigint REFERENCES customers, state state NOT NULL, cents int CHECK (cents >= 0));
        CREATE TABLE empty (a int, b text);
        INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 400) i;
        INSERT INTO orders (customer, state, cents) SELECT 1 + i % 400, (ARRAY['new', 'paid', 'sent']::state[])[1 + i % 3], i FROM generate_series(1, 1200) i;
        CREATE VIEW unpaid AS SELECT * FROM orders WHERE state = 'new';
        CREATE FUNCTION total(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT sum(cents) FROM orders WHERE customer = $1';
        ALTER TABLE orders OWNER TO shopkeeper; GRANT SELECT ON customers TO reader;
        SELECT lo_from_bytea(0, convert_to(repeat('large object ', 500), 'UTF8'));
        """;

    public const string Mail = """
        CREATE TABLE letters AS SELECT i AS id, repeat(md5(i::text), 8) AS body FROM generate_series(1, 800) i;
        CREATE INDEX ON letters (id); COMMENT ON TABLE letters IS 'what was written';
        """;

    /// <summary>So that no two snapshots hold the same.</summary>
    public const string Change = "INSERT INTO letters SELECT max(id) + 1, 'one more' FROM letters";
}
