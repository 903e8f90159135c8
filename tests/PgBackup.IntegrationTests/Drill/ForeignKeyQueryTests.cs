using PgBackup.Applications;

namespace PgBackup.IntegrationTests.Drill;

/// <summary>The question for foreign keys that were restored without looking at the rows.</summary>
[Collection("olympus")]
public sealed class ForeignKeyQueryTests(OlympusCluster cluster)
{
    [Fact]
    public async Task Orphans_are_counted_behind_every_foreign_key_that_was_never_checked_whatever_its_names_and_types()
    {
        string database = "fk_" + Guid.NewGuid().ToString("N");
        await cluster.Source.SqlAsync("postgres", $"CREATE DATABASE {database}");
        try
        {
            await cluster.Source.SqlAsync(
                database,
                """"
                CREATE TABLE parent (id int PRIMARY KEY, a int, "B b" text, UNIQUE (a, "B b"));
                CREATE TABLE "Odd ""child""" (x int, "y:y" text, p bigint);
                CREATE TABLE parts (k int PRIMARY KEY) PARTITION BY RANGE (k);
                CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
                CREATE TABLE heirs () INHERITS (parent);
                INSERT INTO parent VALUES (1, 1, 'one'), (2, 2, NULL);
                INSERT INTO heirs VALUES (3, 3, 'three');
                INSERT INTO parts VALUES (1);
                INSERT INTO "Odd ""child""" VALUES (1, 'one', 1), (2, NULL, 3), (3, 'three', NULL), (9, 'nine', 9);
                ALTER TABLE "Odd ""child""" ADD CONSTRAINT "two's" FOREIGN KEY (x, "y:y") REFERENCES parent (a, "B b") NOT VALID;
                ALTER TABLE "Odd ""child""" ADD CONSTRAINT bigger FOREIGN KEY (p) REFERENCES parent NOT VALID;
                ALTER TABLE "Odd ""child""" ADD CONSTRAINT parted FOREIGN KEY (p) REFERENCES parts NOT VALID;
                CREATE TABLE fine (p int REFERENCES parent);
                """"
            );

            string found = await cluster.Source.SqlAsync(
                database,
                $"SET search_path = pg_catalog; SELECT name, (xpath('//n/text()', query_to_xml(query, false, true, '')))[1] FROM ({OlympusPack.UncheckedForeignKeys}) q"
            );

            // Row 3 of heirs is no row of parent to a foreign key.
            found
                .Trim()
                .Split('\n')
                .Order(StringComparer.Ordinal)
                .ShouldBe([
                    "public.\"Odd \"\"child\"\"\": bigger|2",
                    "public.\"Odd \"\"child\"\"\": parted|2",
                    "public.\"Odd \"\"child\"\"\": two's|2",
                ]);
        }
        finally
        {
            await cluster.Source.SqlAsync("postgres", $"DROP DATABASE {database} WITH (FORCE)");
        }
    }
}
