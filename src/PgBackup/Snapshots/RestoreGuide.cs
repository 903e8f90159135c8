using System.Globalization;
using System.Text;

namespace PgBackup.Snapshots;

/// <summary>Writes RESTORE.md: how to restore this very snapshot with stock tools alone.</summary>
public static class RestoreGuide
{
    /// <summary>The text for a snapshot. Every line in a code block is a command that works in the snapshot's folder.</summary>
    public static string Write(Manifest manifest)
    {
        var text = new StringBuilder();
        string major = manifest.DumpVersion.Split('.')[0];
        text.Append(CultureInfo.InvariantCulture, $"""
            # Restore of the snapshot {manifest.Id}

            Cluster {OneLine(manifest.Cluster)}, Postgres {manifest.ServerVersion}, taken {manifest.Started:yyyy-MM-dd HH:mm:ss} UTC by olympus-pgbackup {manifest.Tool}.
            {Contents(manifest)}
            With olympus-pgbackup at hand, `olympus-pgbackup restore {manifest.Id} --target ...` does all of this and proves the result.
            Without it, the commands below need only {Tools(manifest.Encryption)} and the client tools of Postgres {major} or later
            (psql, pg_restore), run in this folder. Tell them the server by PGHOST, PGPORT, PGUSER and PGPASSWORD (a superuser). For a
            server in a container, put `podman exec -i --env PGOPTIONS CONTAINER` before psql or pg_restore and add `--username=postgres`.

            In bash, say `set -o pipefail` first: a decryption that fails then fails its whole line.

            ## 1. Are the files whole?

            Go on only if every line says OK: gpg may turn a damaged file into less than it held, and not complain.

            ```sh
            sha256sum -c SHA256SUMS
            ```


            """);
        AppendKeys(text, manifest);
        int step = 2;
        if (manifest.Globals is { } globals)
        {
            text.Append(CultureInfo.InvariantCulture, $"""
                ## {step++}. Roles first

                Without its roles, a database loses owners and privileges, and rows that name a role do not come back at all.
                "role ... already exists" is expected for the roles that the server has; every other error is not. Roles that exist get
                the attributes and the password of the snapshot, the superuser too: know that password before you go on.

                ```sh
                {Decrypt(manifest.Encryption, globals.Object)} | psql --no-psqlrc --dbname=postgres
                ```


                """);
        }

        text.Append(CultureInfo.InvariantCulture, $"""
            ## {step}. The databases

            Each command makes the database, with its owner, settings and privileges, and fills it. It must not exist yet: restoring twice
            doubles rows. An exit status other than 0, or any error, means that the restore is not good.

            ```sh

            """);
        foreach (Part part in manifest.Databases)
        {
            text.Append(CultureInfo.InvariantCulture, $"{Decrypt(manifest.Encryption, part.Object)} | PGOPTIONS='-c default_transaction_read_only=off' pg_restore --create --dbname=postgres\n");
        }

        text.Append("""
            ```

            Under another name: make it with `createdb --template=template0 NAME`, and use `--dbname=NAME` without `--create`; the database's own owner, settings,
            privileges and comment are then not restored. If the server lacks a tablespace of the original, add `--no-tablespaces`.

            """);
        text.Append('\n').Append("## What must be there afterwards\n\n| database | tables | rows | bytes of rows |\n|---|---|---|---|\n");
        foreach (Part part in manifest.Databases)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {OneLine(part.Database!)} | {part.Proof.Tables.Count} | {part.Proof.Rows} | {part.Proof.Bytes} |\n");
        }

        return text.ToString();
    }

    /// <summary>A word of a POSIX shell, quoted if it needs to be.</summary>
    public static string ShellWord(string word) =>
        word.Length > 0 && word.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or ':' or '=' or '@' or '+' or ',')
            ? word
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static string Contents(Manifest manifest)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"It holds {(manifest.Globals is null ? "NO roles" : "the roles")} and {manifest.Databases.Count()} databases");
        text.Append(manifest.IsComplete ? ": it is complete.\n" : ": it is INCOMPLETE.\n");
        foreach (PartFailure failure in manifest.Failures)
        {
            text.Append(CultureInfo.InvariantCulture, $"Missing: {OneLine(failure.Part)} ({failure.Code}).\n");
        }

        foreach (string database in manifest.LeftOut)
        {
            text.Append(CultureInfo.InvariantCulture, $"Left out on demand: {OneLine(database)}.\n");
        }

        foreach (string note in manifest.Notes)
        {
            text.Append(CultureInfo.InvariantCulture, $"Note: {OneLine(note)}\n");
        }

        return text.ToString();
    }

    private static void AppendKeys(StringBuilder text, Manifest manifest)
    {
        if (manifest.Recipients.Count == 0)
        {
            return;
        }

        text.Append("Decrypting needs the private key of one of these recipients");
        text.Append(manifest.Encryption == "age" ? ", in the file named by $AGE_IDENTITY:\n\n" : ", in the keyring of gpg:\n\n");
        foreach (var recipient in manifest.Recipients)
        {
            text.Append(CultureInfo.InvariantCulture, $"- `{recipient.Fingerprint}`{(recipient.Name == recipient.Fingerprint ? "" : $" ({OneLine(recipient.Name)})")}\n");
        }

        text.Append('\n');
    }

    private static string Decrypt(string encryption, string name) => encryption switch
    {
        "gpg" => $"gpg --decrypt {ShellWord(name)}",
        "age" => $"age --decrypt --identity \"$AGE_IDENTITY\" {ShellWord(name)}",
        _ => $"cat {ShellWord(name)}",
    };

    private static string Tools(string encryption) => encryption is "gpg" or "age" ? encryption : "cat";

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal);
}
