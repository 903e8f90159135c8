using System.Globalization;
using System.Text;
using PgBackup.Encryption;
using PgBackup.Postgres;

namespace PgBackup.Snapshots;

/// <summary>Writes RESTORE.md: how to restore this very snapshot with stock tools alone.</summary>
public static class RestoreGuide
{
    /// <summary>The text for a snapshot. Every line in a code block is a command that works in the snapshot's folder.</summary>
    public static string Write(Manifest manifest)
    {
        var text = new StringBuilder();
        AppendHead(text, manifest);
        AppendKeys(text, manifest);
        int step = 2;
        if (manifest.Globals is { } globals)
        {
            AppendRoles(text, manifest, globals, step++);
        }

        AppendDatabases(text, manifest, step);
        AppendExpected(text, manifest);
        return text.ToString();
    }

    // What this is, what it takes, and the first step, which needs no key.
    private static void AppendHead(StringBuilder text, Manifest manifest)
    {
        string major = OneLine(manifest.DumpVersion.Split('.')[0]);
        text.Append(
            CultureInfo.InvariantCulture,
            $"""
            # Restore of the snapshot {manifest.Id}

            Cluster {OneLine(manifest.Cluster)}, Postgres {OneLine(
                manifest.ServerVersion
            )}, taken {manifest.Started:yyyy-MM-dd HH:mm:ss} UTC by olympus-pgbackup {OneLine(manifest.Tool)}.
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


            """
        );
    }

    private static string Contents(Manifest manifest)
    {
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"It holds {(manifest.Globals is null ? "NO roles" : "the roles")} and {manifest.Databases.Count()} databases"
        );
        text.Append(manifest.IsComplete ? ": it is complete.\n" : ": it is INCOMPLETE.\n");
        foreach (PartFailure failure in manifest.Failures)
        {
            text.Append(CultureInfo.InvariantCulture, $"Missing: {OneLine(failure.Part)} ({OneLine(failure.Code)}).\n");
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
        text.Append(
            manifest.EncryptedBy() == EncryptionKind.Age ? ", in the file named by $AGE_IDENTITY:\n\n" : ", in the keyring of gpg:\n\n"
        );
        foreach (var recipient in manifest.Recipients)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"- `{Foreign.Line(recipient.Fingerprint).Replace('`', '\'')}`"
                    + $"{(recipient.Name == recipient.Fingerprint ? "" : $" ({OneLine(recipient.Name)})")}\n"
            );
        }

        text.Append('\n');
    }

    private static void AppendRoles(StringBuilder text, Manifest manifest, Part globals, int step)
    {
        text.Append(
            CultureInfo.InvariantCulture,
            $"""
            ## {step}. Roles first

            Without its roles, a database loses owners and privileges, and rows that name a role do not come back at all.
            "role ... already exists" is expected for the roles that the server has; every other error is not. Roles that exist get
            the attributes and the password of the snapshot, the superuser too: know that password before you go on.

            Can anyone else write to this folder? Then look before you restore. psql runs what follows a backslash on the machine where
            psql runs, and a dump can make the server run programs. `{Decrypt(manifest.Encryption, globals.Object)} | grep -F '\'`
            must show nothing but \restrict, \unrestrict and backslashes inside quotes. Restore into a server that you can throw away.

            ```sh
            {Decrypt(manifest.Encryption, globals.Object)} | psql --no-psqlrc --dbname=postgres
            ```


            """
        );
        if (manifest.BootstrapSuperuser is null or "postgres")
        {
            return;
        }

        text.Append(
            CultureInfo.InvariantCulture,
            $"""
            The first superuser of the original was {OneLine(
                Sql.Name(manifest.BootstrapSuperuser)
            )} (initdb's --username, POSTGRES_USER of an image). Give the new server one of the
            same name: another refuses the memberships that this one granted ("permission denied to grant privileges as role").


            """
        );
    }

    private static void AppendDatabases(StringBuilder text, Manifest manifest, int step)
    {
        text.Append(
            CultureInfo.InvariantCulture,
            $"""
            ## {step}. The databases

            Each command makes the database, with its owner, settings and privileges, and fills it. It must not exist yet: restoring twice
            doubles rows. An exit status other than 0, or any error, means that the restore is not good.

            ```sh

            """
        );
        // Amounts of money are read as they were written.
        string options = "-c default_transaction_read_only=off" + DumpSettings.ReadingOptions(manifest.DumpSettings);
        foreach (Part part in manifest.Databases)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"{Decrypt(manifest.Encryption, part.Object)} | PGOPTIONS='{options}' pg_restore --create --dbname=postgres\n"
            );
        }

        text.Append(
            """
            ```

            Under another name: make it with `createdb --template=template0 NAME`, and use `--dbname=NAME` without `--create`; the
            database's own owner, settings, privileges and comment are then not restored. If the server lacks a tablespace of the
            original, add `--no-tablespaces`. If CREATE DATABASE itself names such a tablespace, that does not help: make the
            database by hand, as above, under its own name.

            """
        );
    }

    // What a reader can compare the result with.
    private static void AppendExpected(StringBuilder text, Manifest manifest)
    {
        text.Append('\n').Append("## What must be there afterwards\n\n| database | tables | rows | bytes of rows |\n|---|---|---|---|\n");
        foreach (Part part in manifest.Databases)
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"| {OneLine(part.Database!)} | {part.Proof.Tables.Count} | {part.Proof.Rows} | {part.Proof.Bytes} |\n"
            );
        }
    }

    private static string Decrypt(string encryption, string name) =>
        EncryptionKinds.TryParse(encryption) switch
        {
            EncryptionKind.Gpg => $"gpg --decrypt {ShellText.Word(name)}",
            EncryptionKind.Age => $"age --decrypt --identity \"$AGE_IDENTITY\" {ShellText.Word(name)}",
            EncryptionKind.None or EncryptionKind.Provider => $"cat {ShellText.Word(name)}",
            _ => throw Manifest.OfUnknownKind($"the snapshot of {name}", null, encryption),
        };

    private static string Tools(string encryption) => Decrypt(encryption, "").Split(' ')[0];

    private static string OneLine(string text) => Foreign.Markdown(text);
}
