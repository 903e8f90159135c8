namespace PgBackup.IntegrationTests.Environments;

/// <summary>Servers in containers that are not as the image has them.</summary>
public sealed class OddContainerTests
{
    [Fact]
    public async Task A_server_on_another_port_and_socket_without_a_database_postgres_is_backed_up_whatever_its_container_sets()
    {
        // The variables are those of libpq, which would change what the tools say, or where they go.
        await using PostgresContainer server = await PostgresContainer.StartAsync(
            "elsewhere",
            "--env",
            "PGCLIENTENCODING=LATIN1",
            "--env",
            "PGTZ=Asia/Tokyo",
            "--env",
            "PGOPTIONS=-c search_path=nowhere"
        );
        await server.SqlAsync(
            "postgres",
            "SET client_encoding = UTF8; CREATE DATABASE shop; CREATE ROLE \"müller\" VALID UNTIL '2030-01-01 00:00:00+00'"
        );
        await server.SqlAsync("shop", "CREATE TABLE public.t AS SELECT 1 AS n");
        await server.SqlAsync(
            "template1",
            "DROP DATABASE postgres; ALTER SYSTEM SET port = 6000; ALTER SYSTEM SET unix_socket_directories = '/dev/shm'"
        );
        await Shell.RunAsync("podman", ["restart", "--time", "5", server.Name]);
        await Shell.UntilAsync(
            async () => (await server.ExecAsync("pg_isready", "--quiet", "--host=/dev/shm", "--port=6000")).ExitCode == 0,
            "the server is up again"
        );
        using var night = Workspace.ForContainer(server.Name, "none", ["shop"]);

        string id = await night.BackupAsync();

        night.Manifest(id).IsComplete.ShouldBeTrue();
        (
            await File.ReadAllTextAsync(
                Path.Combine(night.SnapshotFolder(id), night.Manifest(id).Globals!.Object),
                TestContext.Current.CancellationToken
            )
        ).ShouldContain(
            "ALTER ROLE \"müller\" WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS VALID UNTIL "
                + "'2030-01-01 00:00:00+00'"
        );
        (
            await night.RunAsync(0, "restore", "-t", server.Target, "-d", "shop", "--as", "again", "--globals", "--swap")
        ).Output.ShouldContain("proven equal");
        (await night.RunAsync(0, "restore", "-t", server.Target, "-d", "shop", "--swap")).Output.ShouldContain("proven equal");
        (
            await server.ExecAsync(
                "psql",
                "-XAtU",
                "postgres",
                "-h",
                "/dev/shm",
                "-p",
                "6000",
                "-d",
                "again",
                "-c",
                "SELECT n FROM public.t"
            )
        ).Output.ShouldBe("1\n");
    }

    [Fact]
    public async Task A_locale_that_the_target_lacks_is_named_before_anything_is_made()
    {
        await using PostgresContainer source = await PostgresContainer.StartAsync("locale");
        await source.SqlAsync("postgres", "CREATE DATABASE shop TEMPLATE template0 LOCALE 'en_US.UTF-8'");
        await using PostgresContainer target = await PostgresContainer.StartAsync(
            "no-locale",
            "--volume",
            "/dev/null:/usr/lib/locale/locale-archive:ro",
            "--env",
            "LANG=C.UTF-8"
        );
        using var night = Workspace.ForContainer(source.Name, "none", ["shop"]);
        await night.BackupAsync();

        Outcome refused = await night.RunAsync(1, "restore", "latest", "--target", target.Target);

        refused.Errors.ShouldContain(
            "PGB-0070: the operating system of the target's server has no locale en_US.UTF-8, which shop needs; nothing was changed."
        );
        (await target.DatabasesAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_paused_container_is_told_to_go_on_and_another_image_decodes_meanwhile()
    {
        await using PostgresContainer source = await PostgresContainer.StartAsync("paused");
        await source.SqlAsync("postgres", "CREATE DATABASE shop");
        await using Keys keys = await Keys.MakeAsync();
        using var night = Workspace.ForContainer(source.Name, Workspace.Age(keys), ["shop"]);
        await night.BackupAsync();
        await Shell.ReadAsync("podman", ["pause", source.Name]);
        await Shell.UntilAsync(
            async () =>
                (await Shell.ReadAsync("podman", ["container", "inspect", "--format", "{{.State.Status}}", source.Name])).Trim()
                == "paused",
            "the container is paused"
        );
        try
        {
            (await night.RunAsync(1)).Errors.ShouldContain($"what to do: Resume it: podman unpause {source.Name}");
            (await night.RunAsync(0, ["check", "--identity", keys.AgeIdentity, "--tools-image", Surroundings.Image])).Output.ShouldContain(
                "decrypted and decoded, equal to the proof"
            );
        }
        finally
        {
            await Shell.RunAsync("podman", ["unpause", source.Name]);
        }
    }

    [Fact]
    public async Task A_container_that_speaks_another_language_is_understood()
    {
        DirectoryInfo words = Directory.CreateTempSubdirectory("opw-");
        try
        {
            await using PostgresContainer server = await PostgresContainer.StartAsync(
                "german",
                Translations.Mount(
                    words.FullName,
                    ("error: ", "Fehler: "),
                    ("database \"%s\" does not exist", "Datenbank »%s« existiert nicht"),
                    ("canceling statement due to statement timeout", "storniere Anfrage wegen Zeitüberschreitung der Anfrage"),
                    ("canceling statement due to lock timeout", "storniere Anfrage wegen Zeitüberschreitung einer Sperre"),
                    ("division by zero", "Division durch null")
                )
            );
            (await server.TrySqlAsync("postgres", "SELECT 1/0")).Errors.ShouldContain("Division durch null");
            await server.SqlAsync("postgres", "CREATE DATABASE held");
            await server.SqlAsync("held", "CREATE TABLE t AS SELECT 1 AS n");
            await using IAsyncDisposable held = await server.HoldAsync("held", "LOCK TABLE t");
            using var night = Workspace.ForContainer(server.Name, "none", ["held", "missing", "postgres"], dump: "{ lock_timeout: 1s }");

            Outcome outcome = await night.RunAsync(3);

            outcome.Errors.ShouldContain("PGB-0032");
            outcome.Errors.ShouldContain("`psql -l` on that server lists its databases");
            outcome.Errors.ShouldContain("A migration or another long transaction holds a lock on a table");
            outcome.Errors.ShouldNotContain("Fehler: ");
            outcome.Errors.ShouldNotContain("storniere");
        }
        finally
        {
            words.Delete(recursive: true);
        }
    }
}
