using System.Globalization;
using PgBackup.App.Render;
using PgBackup.Configuration;
using PgBackup.Encryption;
using PgBackup.Installations;
using PgBackup.Operations.Drill;
using PgBackup.Operations.Restore;
using PgBackup.Snapshots;
using PgBackup.Storage;
using PgBackup.Tools;

namespace PgBackup.App.Restore;

/// <summary>
/// <c>restore</c> without arguments: asks for everything, one thing after another, on stderr. Nothing is changed before the last question;
/// the end of input or Ctrl-C at any of them ends it.
/// </summary>
internal sealed class RestoreDialogue(Installation installation, CancellationToken cancel)
{
    private readonly BackupConfig config = installation.Config;
    private readonly Questions questions = new(cancel);

    /// <summary>Asks, shows the plan, restores after a yes; returns the exit code.</summary>
    /// <exception cref="PgBackupException"><see cref="ErrorCode.NotConfirmed"/> and whatever a restore throws.</exception>
    public async Task<int> RunAsync()
    {
        Questions.Say("A restore, step by step. Nothing is changed before the last question; Ctrl-C ends it.");
        (IObjectStore store, Manifest manifest, IReadOnlyList<string> databases) = await new SnapshotQuestions(
            installation,
            questions,
            cancel
        ).AskAsync();
        (string typed, RestoreTarget target, TargetSurvey survey, IReadOnlyList<string> password) = await TargetAsync(databases);
        bool source = target.IsSourceOf(config);
        RestoreRequest request = await HowAsync(manifest, databases, survey, source);
        (Identity? identity, IReadOnlyList<string> key) = await IdentityAsync(store, manifest);
        request = request with { Globals = await GlobalsAsync(manifest, request, survey, source), IntoSource = source };

        Questions.Say("");
        Questions.Say(
            $"The snapshot {manifest.Id} is {Terminal.Age(installation.Clock.GetUtcNow() - manifest.Started)} old: what was written "
                + $"since then is not in it."
        );
        Questions.Say(await LastDrillAsync(store, databases));
        Questions.Say("The same by options:");
        Questions.Say("  " + string.Join(' ', CommandLine(request, store, manifest, typed, password, key).Select(ShellText.Word)));
        Questions.Say("");
        RestoreReport report = await new RestoreFlow(installation, store, identity).RunAsync(request, target, ConfirmAsync, cancel);
        RestoreText.Show(report);
        return report.Succeeded ? 0 : 1;
    }

    private async Task ConfirmAsync(RestorePlan plan, CancellationToken stop)
    {
        await RestoreFlow.ConfirmDropsAsync(plan, stop);
        if (await questions.AskAsync("Nothing was changed so far. To do this, type yes: ") != "yes")
        {
            throw new PgBackupException(
                ErrorCode.NotConfirmed,
                "that was no yes; nothing was changed.",
                "The command above does the same, whenever you are sure."
            );
        }
    }

    private async Task<(string Typed, RestoreTarget Target, TargetSurvey Survey, IReadOnlyList<string> Password)> TargetAsync(
        IReadOnlyList<string> databases
    )
    {
        Questions.Say("\nInto which server?");
        List<string> targets = [];
        foreach (string engine in (string[])["podman", "docker"])
        {
            foreach (RunningContainer server in await installation.ServersAsync(engine, cancel))
            {
                targets.Add($"{engine}:{server.Name}");
                string living = RestoreTarget.Parse(targets[^1]).IsSourceOf(config) ? "   THE LIVE ONE: the source of the config" : "";
                Questions.Say($"  {targets.Count, 2}  {targets[^1]}   {server.Image}{living}");
            }
        }

        Questions.Say("      or podman:USER@CONTAINER, or postgres://role@host:5432/?sslmode=verify-full without a password");
        while (true)
        {
            string answer = await questions.AskAsync("server: ");
            string typed =
                int.TryParse(answer, CultureInfo.InvariantCulture, out int n) && n >= 1 && n <= targets.Count ? targets[n - 1] : answer;
            try
            {
                RestoreTarget target = RestoreTarget.Parse(typed);
                if (target.Connection.Settings.ContainsKey("PGPASSWORD"))
                {
                    Questions.Say("Leave the password out: the next question is for it.");
                    continue;
                }

                List<string> password = [];
                if (
                    target.Engine is null
                    && await questions.AskAsync("a file with the role's password [PGPASSWORD, PGPASSFILE or ~/.pgpass]: ")
                        is { Length: > 0 } file
                )
                {
                    password.AddRange(["--target-password-file", file]);
                    target = target with { Connection = target.Connection.WithPasswordOf(file) };
                }

                TargetSurvey survey = await installation.SurveyAsync(target, databases, cancel);
                Questions.Say(
                    $"  {survey.Target}: Postgres {survey.Version}, as {survey.Role}{(survey.IsSuperuser ? "" : ", who is NO superuser")}"
                );
                Questions.List([.. survey.Databases.Select(static d => (string[])[d.Name, RestoreText.Describe(d)])], numbered: false);
                return (typed, target, survey, password);
            }
            catch (PgBackupException e) when (!cancel.IsCancellationRequested)
            {
                Questions.Say(e);
            }
        }
    }

    private async Task<RestoreRequest> HowAsync(Manifest manifest, IReadOnlyList<string> databases, TargetSurvey survey, bool source)
    {
        bool all = databases.Count == manifest.Databases.Count();
        var request = new RestoreRequest
        {
            Snapshot = SnapshotRef.Parse(manifest.Id),
            Databases = all ? [] : databases,
            DatabasesAtOnce = RestoreFlow.DatabasesAtOnce,
        };
        if (!source && !survey.Databases.Any(static d => d.IsFilled))
        {
            return request;
        }

        Questions.Say(source ? "\nThis is the live server. How?" : "\nSomething is there already. How?");
        if (databases.Count == 1)
        {
            Questions.Say("  beside   under another name; what is there is not touched");
        }

        Questions.Say(
            "  swap     restored beside, compared, then the names are exchanged at once; what is there is kept under a dated name"
        );
        Questions.Say("  clean    what is there is DROPPED first; its name has to be typed");
        while (true)
        {
            switch (await questions.AskAsync("how (write the word): "))
            {
                case "beside" when databases.Count == 1:
                    return request with { Databases = databases, As = await NameAsync(databases[0] + "_restored") };
                case "swap":
                    return request with { WhenNotEmpty = WhenNotEmpty.Swap };
                case "clean":
                    return request with { WhenNotEmpty = WhenNotEmpty.Drop };
                default:
                    Questions.Say(
                        databases.Count == 1
                            ? "Write beside, swap or clean."
                            : "Write swap or clean. (Beside, each under another name, is done one at a time.)"
                    );
                    break;
            }
        }
    }

    private async Task<string> NameAsync(string usual)
    {
        while (true)
        {
            string name = await questions.AskAsync($"its name [{usual}]: ") is { Length: > 0 } typed ? typed : usual;
            if (RestoreNames.IsDatabase(name))
            {
                return name;
            }

            Questions.Say(RestoreNames.DatabaseRule);
        }
    }

    private async Task<(Identity? Identity, IReadOnlyList<string> Options)> IdentityAsync(IObjectStore store, Manifest manifest)
    {
        if (manifest.EncryptedBy() is EncryptionKind.None or EncryptionKind.Provider)
        {
            return (null, []);
        }

        Questions.Say(
            $"\nWhich private key? The snapshot is encrypted by {manifest.Encryption} to "
                + $"{string.Join(", ", manifest.Recipients.Select(static r => r.Name))}."
        );
        string otherwise =
            installation.ConfiguredIdentity is { File: { } configured } ? configured
            : manifest.EncryptedBy() == EncryptionKind.Gpg ? "gpg's own keyring"
            : "";
        while (true)
        {
            string file = await questions.AskAsync($"a file with it{(otherwise.Length > 0 ? $" [{otherwise}]" : "")}: ");
            Identity? identity = null;
            List<string> options = [];
            if (file.Length > 0 || otherwise.Length == 0)
            {
                if (!File.Exists(file))
                {
                    Questions.Say("There is no such file.");
                    continue;
                }

                string passphrase =
                    manifest.EncryptedBy() == EncryptionKind.Gpg
                        ? await questions.AskAsync("a file with its passphrase [it has none]: ")
                        : "";
                identity = new Identity { File = file, PassphraseFile = passphrase.Length > 0 ? passphrase : null };
                options = ["--identity", file, .. passphrase.Length > 0 ? (string[])["--passphrase-file", passphrase] : []];
            }

            if (await DecryptsAsync(store, manifest, identity))
            {
                return (identity, options);
            }
        }
    }

    // Finds a wrong key here, not after the last question. What is not known here is left to the restore, which checks all.
    private async Task<bool> DecryptsAsync(IObjectStore store, Manifest manifest, Identity? identity)
    {
        try
        {
            await installation
                .Keys(ProgressDisplay.Plain)
                .RequireIdentityAsync(SnapshotRef.Parse(manifest.Id), store, m => installation.CipherFor(m, identity), cancel);
            Questions.Say("  It decrypts the snapshot.");
            return true;
        }
        catch (PgBackupException e) when (!cancel.IsCancellationRequested)
        {
            Questions.Say(e);
            return e.Code != ErrorCode.IdentityUnusable;
        }
    }

    private async Task<bool> GlobalsAsync(Manifest manifest, RestoreRequest request, TargetSurvey survey, bool source)
    {
        if (manifest.Globals is null || !survey.IsSuperuser || (source && request.As is not null))
        {
            return false;
        }

        Questions.Say("\nRestore the roles first, with their passwords and memberships?");
        Questions.Say(
            source
                ? "  They are this server's own: it sets them back to how they were."
                : "  A new server lacks them. Roles that are there get the snapshot's attributes and passwords; others are left alone."
        );
        while (true)
        {
            switch (await questions.AskAsync($"roles, yes or no [{(source ? "no" : "yes")}]: "))
            {
                case "":
                    return !source;
                case "yes" or "y":
                    return true;
                case "no" or "n":
                    return false;
            }
        }
    }

    private async Task<string> LastDrillAsync(IObjectStore store, IReadOnlyList<string> databases)
    {
        try
        {
            if ((await DrillRecord.ListAsync(store, 12, cancel)).FirstOrDefault(static d => d.Databases.Count > 0) is not { } drill)
            {
                return "No drill was held yet, as far as this store knows: how long it takes is not known.";
            }

            string each = string.Join(
                ", ",
                drill
                    .Databases.Where(d => databases.Contains(d.Name))
                    .Select(static d => $"{d.Name} {Terminal.Span(d.RestoreSeconds + d.CompareSeconds)}")
            );
            return $"The last drill ({drill.Started.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}, from "
                + $"{drill.Store}, {(drill.Passed ? "passed" : "FAILED")}) took "
                + $"{Terminal.Span(drill.RestoreSeconds)}{(each.Length > 0 ? $": {each}" : "")}.";
        }
        catch (PgBackupException e)
        {
            return $"How long the last drill took is not known: {e.Message}";
        }
    }

    private List<string> CommandLine(
        RestoreRequest request,
        IObjectStore store,
        Manifest manifest,
        string target,
        IReadOnlyList<string> password,
        IReadOnlyList<string> key
    ) =>
        [
            "olympus-pgbackup",
            "restore",
            manifest.Id,
            "--config",
            config.File,
            "--store",
            store.Name,
            "--target",
            target,
            .. password,
            .. request.Databases.SelectMany(static d => (string[])["--database", d]),
            .. request.As is { } name ? (string[])["--as", name] : [],
            .. request.WhenNotEmpty switch
            {
                WhenNotEmpty.Swap => (string[])["--swap"],
                WhenNotEmpty.Drop => ["--clean"],
                _ => [],
            },
            .. request.Globals ? (string[])["--globals"] : [],
            .. key,
        ];
}
