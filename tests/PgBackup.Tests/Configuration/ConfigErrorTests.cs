using static PgBackup.Tests.Configuration.ConfigText;

namespace PgBackup.Tests.Configuration;

/// <summary>Each error has its line, its key, what is wrong, and what to write instead.</summary>
public sealed class ConfigErrorTests
{
    private const string Source = "podman: { container: olympus-postgres, user: backup }";

    [Fact]
    public void All_errors_are_reported_at_once_in_the_order_of_their_lines() =>
        ErrorsOf(
                """
                cluster: "olympus 1"
                source:
                  url: postgres://r@ep-x-pooler.eu.neon.tech/
                  password_file: /nowhere/password
                  conect_retry: 5m
                databases: [a, b, a]
                dump:
                  lock_timeout: soon
                  jobs: 0
                  compress: zip
                encryption:
                  gpg: { recipients: ["${PGBT_NOT_SET}"] }
                  age: {}
                stores:
                  - { name: local, path: /backups, keep: { all: long } }
                  - { name: local, path: /backups/ }
                verbose: true
                """
            )
            .ShouldBe([
                "line 1: cluster: \"olympus 1\" is not allowed. Use letters, digits, dots, dashes and underscores.",
                "line 3: source.url: the host ep-x-pooler.eu.neon.tech is a connection pooler, which cannot hold the snapshot of a "
                    + "dump. Use the direct host: ep-x.eu.neon.tech",
                "line 3: source.url: ep-x-pooler.eu.neon.tech is another machine, and the connection would use no sslmode (which "
                    + "accepts plain text). "
                    + "Add ?sslmode=verify-full to the URL (and sslrootcert=system for a public authority), or write accept_weak_tls: "
                    + "true beside it.",
                "line 4: source.password_file: the file /nowhere/password does not exist. Make it (mode 0600) with nothing but the "
                    + "password in it.",
                "line 5: source.conect_retry: there is no such key. Did you mean connect_retry?",
                "line 6: databases: \"a\" is named 2 times. Name each database once.",
                "line 8: dump.lock_timeout: \"soon\" is not a length of time. Write a number with s, m, h, d or w, such as 30s or 14d.",
                "line 9: dump.jobs: \"0\" is not allowed. Write a whole number from 1 to 64.",
                "line 10: dump.compress: \"zip\" is not allowed. Write a method of pg_dump and perhaps a level: zstd:1, lz4, gzip:6 "
                    + "or none.",
                "line 12: encryption.gpg: gpg and age exclude each other. Write exactly one of them.",
                "line 12: encryption.gpg.recipients: the environment variable PGBT_NOT_SET is not set. "
                    + "Set PGBT_NOT_SET for the user (and in the crontab) that runs the backup, or write the value.",
                "line 15: stores[0].keep.all: \"long\" is not a length of time. Write a number with h, d, w, mo or y, such as 14d or "
                    + "12mo, or the word forever.",
                "line 16: stores[1].name: \"local\" is the name of an earlier store too. Give each store a name of its own.",
                "line 16: stores[1].path: /backups is the place of an earlier store too. Give each store a folder, remote or prefix "
                    + "of its own.",
                "line 17: verbose: there is no such key. Known here: cluster, source, databases, dump, encryption, stores, max_age, drill, "
                    + "losses, records, metrics, notify, neon, schedule, serve.",
            ]);

    [Theory]
    [InlineData(
        "path: {0}/link",
        "path",
        "{0}/link is the place of an earlier store too, {0}/store: by a link, a mount or another way to write it."
    )]
    [InlineData("rclone: ':local:{0}/store'", "rclone", "{0}/store is the place of an earlier store too.")]
    [InlineData(
        "rclone: ':local,copy_links=true:{0}/link/'",
        "rclone",
        "{0}/link is the place of an earlier store too, {0}/store: by a link, a mount or another way to write it."
    )]
    [InlineData(
        "path: {0}/link/below",
        "path",
        "{0}/link/below and {0}/store, the place of an earlier store, lie one inside the other, since it leads to {0}/store/below."
    )]
    [InlineData("path: {0}", "path", "{0} and {0}/store, the place of an earlier store, lie one inside the other.")]
    public void Two_stores_in_one_place_are_found_whatever_leads_there(string second, string key, string error)
    {
        using var folder = new TestFolder();
        Directory.CreateDirectory(folder["store"]);
        Directory.CreateSymbolicLink(folder["link"], folder["store"]);
        string Here(string text) => text.Replace("{0}", folder.Path, StringComparison.Ordinal);

        ErrorsOf(With("path: /backups }", $"path: {folder["store"]} }}\n  - {{ name: two, {Here(second)} }}"))
            .ShouldHaveSingleItem()
            .ShouldContain($"stores[1].{key}: {Here(error)}");
    }

    [Fact]
    public void A_bucket_needs_no_word_that_it_must_exist() =>
        ErrorsOf(With("path: /backups", "s3: { bucket: backups }, must_exist: true"))
            .ShouldHaveSingleItem()
            .ShouldContain("a bucket is never made");

    [Fact]
    public void A_name_with_a_line_break_is_refused_since_pg_restore_refuses_it() =>
        ErrorsOf(With("databases: [ciam_kratos, olympus]", "databases: [\"two\\nlines\"]"))
            .ShouldHaveSingleItem()
            .ShouldEndWith(
                "databases: \"two lines\" has a line break in its name, which pg_restore refuses. Rename it: ALTER DATABASE ... RENAME TO."
            );

    [Fact]
    public void An_empty_mapping_lacks_everything_that_must_be_there() =>
        ErrorsOf("dump: { jobs: 1 }")
            .Select(static e => e.Split(": ")[1])
            .ShouldBe(["cluster", "source", "databases", "encryption", "stores"]);

    [Fact]
    public void A_second_document_is_named_by_its_line() =>
        ErrorsOf($"{Right}\n---\n{Right}")
            .ShouldBe([
                $"line {Right.Split('\n').Length + 2}: (file): a second YAML document begins here, of 2; one is expected. Remove the "
                    + $"line `---` above it, or write a file for each.",
            ]);

    [Fact]
    public void A_tab_is_named_by_its_own_line() =>
        ErrorsOf(With("  - { name", "\t- { name")).ShouldBe(["line 8: (YAML): the line is indented by a tab. Indent it by blanks."]);

    [Theory]
    [InlineData(
        Source,
        Source + "\nlosses: { ephemeral: [jobs] }",
        "line 4: losses.ephemeral[0]: \"jobs\" does not begin with a database of"
    )]
    [InlineData(
        Source,
        Source + "\nlosses: { ephemeral: [olympus.jobs] }",
        "line 4: losses.ephemeral[0]: \"olympus.jobs\" does not name a"
    )]
    [InlineData(
        Source,
        Source + "\nlosses: { durable: [wiki.public.t] }",
        "line 4: losses.durable[0]: \"wiki.public.t\" does not begin with a"
    )]
    [InlineData(
        Source,
        Source + "\nlosses: { lasting: [] }",
        "line 4: losses.lasting: there is no such key. Known here: ephemeral, durable."
    )]
    [InlineData(
        Source,
        Source + "\nlosses: { ephemeral: [olympus.a.b], durable: ['olympus.\"a\".b'] }",
        "line 4: losses.durable: olympus.a.b is in both lists. Write it in one."
    )]
    [InlineData("cluster: olympus", "cluster: [a]", "line 1: cluster: one value is expected here, not a list.")]
    [InlineData("cluster: olympus", "cluster:", "line 1: cluster: it is missing.")]
    [InlineData("cluster: olympus", "Cluster: olympus", "line 1: Cluster: there is no such key. Did you mean cluster?")]
    [InlineData(
        Source,
        "nothing: 1",
        "line 3: source.podman: nothing says where the databases are. Write exactly one of podman:, docker: and url:."
    )]
    [InlineData(Source, "podman: x\n  url: postgres://localhost/", "line 4: source.url: podman and url exclude each other.")]
    [InlineData(Source, "podman: { user: x }", "line 3: source.podman.container: it is missing. Write the container's name")]
    [InlineData(Source, "podman: { container: x, usr: y }", "line 3: source.podman.usr: there is no such key. Did you mean user?")]
    [InlineData(Source, "podman: [x]", "line 3: source.podman: keys and values are expected here, not a list.")]
    [InlineData(Source, "podman: x\n  tools: host", "line 4: source.tools: it is for url: only.")]
    [InlineData(Source, "url: db:5432", "line 3: source.url: it is not a connection URL: it must start with postgres:// or postgresql://.")]
    [InlineData(
        Source,
        "url: postgres://db:x/?sslmode=verify-full",
        "line 3: source.url: it is not a connection URL: the port \"x\" is not a number from 1 to 65535."
    )]
    [InlineData(
        Source,
        "url: postgres://r@db/?sslmode=require",
        "line 3: source.url: db is another machine, and the connection would use sslmode=require."
    )]
    [InlineData(
        Source,
        "url: postgres://localhost/\n  tools: docker",
        "line 4: source.tools: \"docker\" is not allowed. Write host, or { image: \"postgres:17\" }."
    )]
    [InlineData(
        Source,
        "url: postgres://localhost/\n  accept_weak_tls: yes",
        "line 4: source.accept_weak_tls: \"yes\" is neither true nor false."
    )]
    [InlineData(Source, "url: postgres://localhost/\n  connect_retry: 60", "line 4: source.connect_retry: \"60\" is not a length of time.")]
    [InlineData("[ciam_kratos, olympus]", "ciam_kratos", "line 4: databases: a list is expected here, not \"ciam_kratos\".")]
    [InlineData("[ciam_kratos, olympus]", "[]", "line 4: databases: no database is named.")]
    [InlineData("[ciam_kratos, olympus]", "[a, \"\"]", "line 4: databases: a name is empty.")]
    [InlineData("[ciam_kratos, olympus]", "[{ url: \"postgres://localhost/\" }]", "line 4: databases[0].name: it is missing.")]
    [InlineData(
        "[ciam_kratos, olympus]",
        "[{ name: a, url: \"postgres://localhost/\" }]",
        "line 4: databases[0].url: a database of its own URL needs a source with a URL."
    )]
    [InlineData("age: {", "pgp: {", "line 6: encryption.gpg: neither gpg: nor age: nor provider: is there. Write exactly one of them.")]
    [InlineData("age: {", "agee: {", "line 6: encryption.agee: there is no such key. Did you mean age?")]
    [InlineData("[age1x, age1y]", "[]", "line 6: encryption.age.recipients: nobody could decrypt. Name at least one recipient")]
    [InlineData(
        "age: { recipients: [age1x, age1y], identity_file: /keys/age }",
        "provider: sse",
        "line 8: stores[0].path: encryption: { provider: sse } needs stores that say of each object how they encrypt it, which only "
            + "s3: can."
    )]
    [InlineData(
        "- { name: local, path: /backups }",
        "- /backups",
        "line 7: stores: each store is a mapping. Write - { name: local, path: /backups }."
    )]
    [InlineData(
        "age: { recipients: [age1x, age1y], identity_file: /keys/age }",
        "provider: kms",
        "line 6: encryption.provider: the only way is sse."
    )]
    [InlineData("path: /backups", "rclone: b2", "line 8: stores[0].rclone: \"b2\" is not a remote. Write its name, a colon and the path")]
    [InlineData("path: /backups", "rclone: \":s3,secret_access_key=x:b\"", "line 8: stores[0].rclone: there is a secret in the remote")]
    [InlineData("path: /backups", "path: ~/backups", "line 8: stores[0].path: ~ is only known to shells.")]
    [InlineData("path: /backups", "path: \"\"", "line 8: stores[0].path: it is missing. Write the folder")]
    [InlineData(", path: /backups", "", "line 8: stores[0].path: nothing says where the store is. Write exactly one of path: (a folder)")]
    [InlineData("path: /backups", "path: /b, rclone: \"b2:x\"", "line 8: stores[0].rclone: path and rclone exclude each other.")]
    [InlineData("path: /backups", "s3: x", "line 8: stores[0].s3: keys and values are expected here, not \"x\".")]
    [InlineData("path: /backups", "s3: { region: x }", "line 8: stores[0].s3.bucket: it is missing.")]
    [InlineData("path: /backups", "s3: { bucket: a/b }", "line 8: stores[0].s3.bucket: \"a/b\" is not the name of a bucket.")]
    [InlineData("path: /backups", "s3: { bucket: abc, prefix: a//b }", "line 8: stores[0].s3.prefix: \"a//b\" is not allowed.")]
    [InlineData(
        "path: /backups",
        "s3: { bucket: abc, endpoint: minio }",
        "line 8: stores[0].s3.endpoint: \"minio\" is not the URL of a store."
    )]
    [InlineData(
        "path: /backups",
        "s3: { bucket: abc, access_key_id: x }",
        "line 8: stores[0].s3.secret_access_key: the key and its secret belong together."
    )]
    [InlineData(
        "path: /backups",
        "s3: { bucket: abc, access_key_id_file: /nowhere/x }",
        "line 8: stores[0].s3.access_key_id_file: the file /nowhere/x does not exist."
    )]
    [InlineData("path: /backups", "s3: { bucket: abc, sse: yes }", "line 8: stores[0].s3.sse: \"yes\" is not allowed.")]
    [InlineData("path: /backups", "s3: { bucket: abc, kms_key: k }", "line 8: stores[0].s3.kms_key: it needs a key management service.")]
    [InlineData(
        "path: /backups",
        "s3: { bucket: abc, object_lock: always }",
        "line 8: stores[0].s3.object_lock: \"always\" is not allowed."
    )]
    [InlineData(
        "path: /backups",
        "s3: { bucket: abc, storage_class: DEEP_ARCHIVE }",
        "line 8: stores[0].s3.storage_class: objects in DEEP_ARCHIVE cannot be read at once"
    )]
    [InlineData("path: /backups", "path: /b, keep: { all: 0d }", "line 8: stores[0].keep.all: \"0d\" is not a length of time.")]
    [InlineData("path: /backups", "path: /b, keep: { hourly: 3d }", "line 8: stores[0].keep.hourly: there is no such key.")]
    [InlineData(
        "path: /backups",
        "keep: {}, s3: { bucket: abc, object_lock: governance }",
        "line 8: stores[0].keep: rules without tiers promise nothing, so that object_lock would lock nothing. Write how long"
    )]
    [InlineData(
        "path: /backups",
        "rclone: \"b2:x\", rclone_config: /nowhere/rclone.conf",
        "line 8: stores[0].rclone_config: the file /nowhere/rclone.conf does not exist. `rclone config file` names the one"
    )]
    [InlineData(
        "path: /backups",
        "s3: { bucket: abc, secret_access_key_file: /nowhere/x }",
        "the file /nowhere/x does not exist. Make it (mode 0600) with nothing but the value of secret_access_key in it."
    )]
    [InlineData("name: local, ", "", "line 8: stores[0].name: it is missing. Give the store a name")]
    [InlineData("cluster: olympus", "cluster: olympus\nencryption: gpg", "line 6: (YAML): Duplicate key encryption")]
    [InlineData("cluster: olympus", "cluster: \"olympus", "(YAML): ")]
    [InlineData("  - { name: local", "\t- { name: local", "(YAML): ")]
    public void An_error_says_where_it_is_and_what_to_write(string piece, string instead, string error) =>
        ErrorsOf(With(piece, instead)).ShouldContain(line => line.Contains(error));

    [Theory]
    [InlineData("path: /backups", "path: /backups/olympus")]
    [InlineData("path: /backups/olympus", "path: /backups/")]
    [InlineData("path: /", "path: /backups")]
    [InlineData("rclone: \"b2:olympus\"", "rclone: \"b2:olympus/night/\"")]
    [InlineData("rclone: \"b2:\"", "rclone: \"b2:olympus\"")]
    [InlineData("s3: { bucket: abc }", "s3: { bucket: abc, prefix: night }")]
    [InlineData(
        "s3: { bucket: abc, prefix: a/b, endpoint: \"https://s3.example.com\" }",
        "s3: { bucket: abc, prefix: a, endpoint: \"https://s3.example.com/\" }"
    )]
    public void Stores_one_inside_the_other_are_refused(string one, string other) =>
        ErrorsOf(With("- { name: local, path: /backups }", $"- {{ name: a, {one} }}\n  - {{ name: b, {other} }}"))
            .ShouldHaveSingleItem()
            .ShouldContain(", the place of an earlier store, lie one inside the other. Give each store");

    [Theory]
    [InlineData("path: /backups", "path: /backups-2")]
    [InlineData("rclone: \"b2:olympus\"", "rclone: \"b2:olympus-2\"")]
    [InlineData("s3: { bucket: abc, prefix: night }", "s3: { bucket: abc, prefix: nights }")]
    [InlineData("s3: { bucket: abc }", "s3: { bucket: abc, endpoint: \"https://s3.example.com\" }")]
    public void Stores_side_by_side_are_taken(string one, string other) =>
        Should.NotThrow(() =>
            PgBackup.Configuration.ConfigReader.ParseForBackup(
                With("- { name: local, path: /backups }", $"- {{ name: a, {one} }}\n  - {{ name: b, {other} }}"),
                "x"
            )
        );

    [Theory]
    [InlineData("")]
    [InlineData("just words")]
    [InlineData("- a\n- b")]
    public void A_file_that_is_no_mapping_is_told_where_to_start(string text) =>
        ErrorsOf(text).ShouldBe(["line 1: (file): keys and values are expected. Start from `olympus-pgbackup init`."]);

    [Fact]
    public void A_weak_tls_can_be_accepted_in_so_many_words() =>
        Should.NotThrow(() =>
            PgBackup.Configuration.ConfigReader.ParseForBackup(
                With(Source, "url: postgres://r@db/?sslmode=require\n  accept_weak_tls: true"),
                "x"
            )
        );

    [Fact]
    public void A_password_is_never_part_of_an_error()
    {
        string[] errors = ErrorsOf(With(Source, "url: postgres://r:hunter2@db-pooler.neon.tech:99999/?sslmode=require\n  tols: 1"));

        errors.Length.ShouldBe(2);
        errors.ShouldAllBe(static e => !e.Contains("hunter2"));
    }
}
