namespace PgBackup.IntegrationTests.Environments;

/// <summary>Configs, names, keys, tools and stores that cannot work: told at once, and nothing left.</summary>
[Collection("bad days")]
public sealed class BadInputTests(BadDaysCluster cluster)
{
    [Fact]
    public async Task A_snapshot_that_cannot_be_read_is_a_finding_of_the_run_and_is_printed_once()
    {
        using Workspace own = cluster.Plain("tiny");
        string first = Unreadable(await own.BackupAsync());
        (await own.RunAsync(0, "run", "--json")).Output.ShouldContain($"\"subject\": \"{first}\"");
        string second = Unreadable(Path.GetFileName(Directory.GetDirectories(own.Store, "2*").Max())!);

        Outcome run = await own.RunAsync(0);

        string said = $"the snapshot {second} in local cannot be read, and is ignored";
        run.Errors.ShouldContain($"WARNING: PGB-0065: {said}");
        run.Errors.Split(said).Length.ShouldBe(2, run.ToString());

        string Unreadable(string id)
        {
            string manifest = Path.Combine(own.Store, id, "manifest.json");
            File.Delete(manifest);
            File.CreateSymbolicLink(manifest, "/etc/hostname");
            return id;
        }
    }

    [Fact]
    public async Task Everything_wrong_with_a_config_is_told_at_once_with_its_line()
    {
        using var own = new Workspace(
            """
            cluster: test
            source:
              podman: { container: x }
              password_file: /no/such/file
            databses: [a]
            databases: ["a", "${NO_SUCH_VARIABLE}"]
            dump: { jobs: many, lock_timeout: 30 parsecs }
            encryption: none
            stores:
              - { name: local, path: /tmp/a }
              - { name: local, path: /tmp/b }
            """
        );
        Outcome outcome = await own.RunAsync(2);
        outcome.Errors.ShouldContain("PGB-0011");
        foreach (
            string expected in (string[])
                [
                    "line 4: source.password_file",
                    "line 5: databses",
                    "NO_SUCH_VARIABLE",
                    "line 7: dump.jobs",
                    "30 parsecs",
                    "line 11: stores[1].name",
                ]
        )
        {
            outcome.Errors.ShouldContain(expected);
        }
    }

    [Fact]
    public async Task Without_a_config_the_bare_command_explains_itself()
    {
        string empty = Directory.CreateTempSubdirectory("ope-").FullName;
        Outcome outcome = await Shell.RunAsync(
            Surroundings.Binary,
            [],
            new Dictionary<string, string?> { ["OLYMPUS_PGBACKUP_CONFIG"] = null },
            empty
        );
        Directory.Delete(empty, recursive: true);
        outcome.ExitCode.ShouldBe(2, outcome.ToString());
        outcome.Errors.ShouldContain("PGB-0010");
        outcome.Errors.ShouldContain("olympus-pgbackup init");
    }

    [Fact]
    public async Task A_database_that_the_server_does_not_have_is_told_and_the_others_are_stored()
    {
        using Workspace own = cluster.Plain("small", "tiny");
        string complete = await own.BackupAsync();
        own.Configure(own.Config().Replace("\"tiny\"", "\"tiny\", \"no where\"", StringComparison.Ordinal));
        Outcome outcome = await own.RunAsync(3);
        outcome.Errors.ShouldContain("FAILED: no where (PGB-0032)");
        outcome.Output.ShouldContain("INCOMPLETE, 1 failed: 2 databases");
        string id = outcome.Output.Split(' ')[0];
        (await own.RunAsync(0, "list"))
            .Output.Split('\n')
            .Single(l => l.StartsWith(id, StringComparison.Ordinal))
            .ShouldContain("incomplete");
        (await own.RunAsync(0, "show", "latest")).Output.ShouldContain($"snapshot    {complete}, complete");
        (await own.RunAsync(0, "show", id)).Output.ShouldContain("FAILED: no where");
        (await own.RunAsync(1, "restore", id, "-t", cluster.Server.Target, "-d", "no where")).Errors.ShouldContain("PGB-0066");
    }

    [Fact]
    public async Task Any_database_name_is_backed_up_and_restored()
    {
        string[] names =
        [
            "it's",
            "say \"when\"",
            " two  spaces ",
            "zwölf Ü ☂ 漢字",
            "a=b host=elsewhere",
            "postgres://x/y",
            "-c",
            "back\\slash",
            "50%|$HOME;`id`",
        ];
        string drop = string.Concat(names.Select(static n => $"DROP DATABASE IF EXISTS \"{n.Replace("\"", "\"\"")}\";\n"));
        await cluster.Server.SqlAsync(
            "postgres",
            string.Concat(names.Select(static n => $"CREATE DATABASE \"{n.Replace("\"", "\"\"")}\" TEMPLATE tiny;\n"))
        );
        try
        {
            using Workspace own = cluster.Plain(names);
            string id = await own.BackupAsync();
            own.Manifest(id).Databases.Select(static p => p.Database).ShouldBe(names);
            (await own.RunAsync(0, "check", "--read-data")).Output.ShouldContain("ok");
            await cluster.Server.SqlAsync("postgres", drop);
            await own.RunAsync(0, "restore", "--swap", "-t", cluster.Server.Target);
            foreach (string name in names)
            {
                (await cluster.Server.SqlAsync(name, "SELECT v, current_database() FROM t")).ShouldBe($"one row|{name}\n");
            }
        }
        finally
        {
            await cluster.Server.SqlAsync("postgres", drop);
        }
    }

    [Fact]
    public async Task A_container_that_is_not_there_or_does_not_run_is_told_with_what_to_do()
    {
        using Workspace missing = Workspace.ForContainer("no-such-container", "none", ["a"]);
        (await missing.RunAsync(1)).Errors.ShouldContain("PGB-0023");
        string name = "olympus-pgbackup-test-stopped-" + Guid.NewGuid().ToString("N")[..8];
        await Shell.ReadAsync("podman", ["create", "--name", name, "--label", PostgresContainer.Label, Surroundings.Image]);
        try
        {
            using Workspace stopped = Workspace.ForContainer(name, "none", ["a"]);
            Outcome outcome = await stopped.RunAsync(1);
            outcome.Errors.ShouldContain("PGB-0023");
            outcome.Errors.ShouldContain("podman start " + name);
            stopped.Contents().ShouldBeEmpty();
        }
        finally
        {
            await Shell.RunAsync("podman", ["rm", "--force", "--volumes", name]);
        }
    }

    [Theory]
    [InlineData("nobody@example.com", "no such key")]
    [InlineData(Keys.Expired, "expired on 20")]
    public async Task A_recipient_that_cannot_be_used_is_told_before_anything_is_dumped(string recipient, string why)
    {
        using Workspace own = Workspace.ForContainer(cluster.Server.Name, Workspace.Gpg(cluster.Keys, Keys.Ops, recipient), ["tiny"]);
        Outcome outcome = await own.RunAsync(1);
        outcome.Errors.ShouldContain("PGB-0050");
        outcome.Errors.ShouldContain(why);
        outcome.Errors.ShouldContain(recipient);
        own.Contents().ShouldBeEmpty();
    }

    [Fact]
    public async Task An_age_recipient_that_is_none_is_told_before_anything_is_dumped()
    {
        using Workspace own = Workspace.ForContainer(cluster.Server.Name, "{ age: { recipients: [age1nonsense] } }", ["tiny"]);
        (await own.RunAsync(1)).Errors.ShouldContain("PGB-0050");
        own.Contents().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("gpg")]
    [InlineData("age")]
    [InlineData("podman")]
    public async Task A_program_that_is_missing_is_named(string program)
    {
        string encryption = program == "age" ? Workspace.Age(cluster.Keys) : Workspace.Gpg(cluster.Keys, Keys.Ops);
        using Workspace own = Workspace.ForContainer(cluster.Server.Name, encryption, ["tiny"]);
        own.TakeFromPath(program);
        Outcome outcome = await own.RunAsync(1);
        outcome.Errors.ShouldContain("PGB-0020");
        outcome.Errors.ShouldContain(program + " is not installed");
        own.Contents().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_that_cannot_be_written_is_told_before_anything_is_dumped()
    {
        using Workspace own = cluster.Plain("tiny");
        string file = Path.Combine(own.Folder, "a file");
        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        own.UseStore(Path.Combine(file, "store"));
        own.Configure(own.Config().Replace(own.Store, $"\"{own.Store}\"", StringComparison.Ordinal));
        Outcome outcome = await own.RunAsync(1);
        outcome.Errors.ShouldContain("PGB-0060");
        outcome.Errors.ShouldContain(own.Store);
    }

    [Fact]
    public async Task A_store_of_another_cluster_is_refused()
    {
        using Workspace own = cluster.Plain("tiny");
        await own.BackupAsync();
        own.Configure(own.Config().Replace("cluster: test", "cluster: production", StringComparison.Ordinal));
        (await own.RunAsync(1)).Errors.ShouldContain("PGB-0061");
    }

    [Theory]
    [InlineData(
        "postgres://reader@ep-cool-sun-123-pooler.eu-central-1.aws.neon.tech/?sslmode=verify-full",
        "ep-cool-sun-123.eu-central-1.aws.neon.tech"
    )]
    [InlineData("postgres://reader@ep-cool-sun-123.eu-central-1.aws.neon.tech/?sslmode=require", "sslmode=verify-full")]
    [InlineData("postgres://reader@db.example.com/", "sslmode=verify-full")]
    public async Task Poolers_and_weak_TLS_are_refused_with_the_way_out(string url, string remedy)
    {
        using var own = new Workspace(
            $$"""
            cluster: test
            source: { url: "{{url}}" }
            databases: [a]
            encryption: none
            stores: [{ name: local, path: STORE }]
            """
        );
        (await own.RunAsync(2)).Errors.ShouldContain(remedy);
    }

    [Fact]
    public async Task A_table_that_the_role_may_not_read_fails_its_database_and_passwords_that_it_may_not_read_are_left_out_aloud()
    {
        await cluster.Server.SqlAsync("postgres", "CREATE ROLE poor LOGIN PASSWORD 'pw-poor'");
        await cluster.Server.SqlAsync("small", "GRANT SELECT ON t TO poor");
        await cluster.Server.SqlAsync("tiny", "GRANT SELECT ON t TO poor");
        try
        {
            using var own = Workspace.ForContainer(cluster.Server.Name, "none", ["small", "tiny"], user: "poor");
            Outcome outcome = await own.RunAsync(3);
            outcome.Errors.ShouldContain("permission denied for table secret");
            outcome.Errors.ShouldContain("note: globals: without the passwords of roles, which poor may not read");
            string id = outcome.Output.Split(' ')[0];
            own.Manifest(id).Databases.Select(static p => p.Database).ShouldBe(["tiny"]);
            own.Manifest(id).Notes.ShouldHaveSingleItem();
            string globals = await File.ReadAllTextAsync(
                Path.Combine(own.SnapshotFolder(id), own.Manifest(id).Globals!.Object),
                TestContext.Current.CancellationToken
            );
            globals.ShouldContain("CREATE ROLE poor");
            globals.ShouldNotContain("PASSWORD '");
        }
        finally
        {
            await cluster.Server.SqlAsync("small", "DROP OWNED BY poor");
            await cluster.Server.SqlAsync("tiny", "DROP OWNED BY poor; DROP ROLE poor");
        }
    }

    [Fact]
    public async Task Real_bash_completes_verbs_options_databases_and_snapshots()
    {
        using Workspace own = cluster.Plain("small", "tiny");
        string id = await own.BackupAsync();
        own.PutOnPath("olympus-pgbackup", $"#!/bin/sh\nexec {Surroundings.Binary} \"$@\"\n");
        async Task<string[]> CompleteAsync(params string[] words)
        {
            string quoted = string.Join(' ', words.Select(static w => $"'{w}'"));
            string script =
                $$"""
                    source <(olympus-pgbackup completion bash)
                    COMP_WORDS=({{quoted}}); COMP_CWORD=$(({{words.Length}} - 1)); COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
                    $(complete -p olympus-pgbackup | sed 's/.*-F \([^ ]*\).*/\1/')
                    """.Replace("$(complete", "f=$(complete", StringComparison.Ordinal) + "\n$f\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
            var environment = new Dictionary<string, string?>
            {
                ["PATH"] = $"{Path.Combine(own.Folder, "bin")}:{Environment.GetEnvironmentVariable("PATH")}",
                ["OLYMPUS_PGBACKUP_CONFIG"] = own.ConfigFile,
            };
            return (await Shell.ReadAsync("bash", ["-s"], environment, own.Folder, script)).Split(
                '\n',
                StringSplitOptions.RemoveEmptyEntries
            );
        }

        (await CompleteAsync("olympus-pgbackup", "re")).ShouldBe(["restore"]);
        (await CompleteAsync("olympus-pgbackup", "")).ShouldContain("backup");
        (await CompleteAsync("olympus-pgbackup", "check", "--rea")).ShouldBe(["--read-data"]);
        (await CompleteAsync("olympus-pgbackup", "backup", "--database", "sm")).ShouldBe(["small"]);
        (await CompleteAsync("olympus-pgbackup", "show", "20")).ShouldBe([id]);
    }
}
