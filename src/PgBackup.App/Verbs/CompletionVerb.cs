using System.CommandLine;
using PgBackup.App.Render;

namespace PgBackup.App.Verbs;

/// <summary><c>completion</c>: a script that teaches a shell verbs, options, snapshot ids and database names.</summary>
internal static class CompletionVerb
{
    private static readonly Dictionary<string, string> Scripts = new(StringComparer.Ordinal)
    {
        ["bash"] = """
            _olympus_pgbackup() {
              local IFS=$'\n'
              local found=$("${COMP_WORDS[0]}" "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)
              COMPREPLY=($(compgen -W "$found" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _olympus_pgbackup olympus-pgbackup
            """,
        ["zsh"] = """
            #compdef olympus-pgbackup
            _olympus_pgbackup() {
              local -a found
              found=("${(@f)$(${words[1]} "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
              compadd -- $found
            }
            compdef _olympus_pgbackup olympus-pgbackup
            """,
        ["fish"] = """
            complete -c olympus-pgbackup -f -a '(olympus-pgbackup "[suggest:"(commandline -C)"]" (commandline -cp) 2>/dev/null)'
            """,
    };

    /// <summary>The verb.</summary>
    public static Command Command()
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish" };
        shell.AcceptOnlyFromAmong([.. Scripts.Keys]);
        var command = new VerbCommand("completion", "Prints the completion script of a shell")
        {
            Examples = """
                olympus-pgbackup completion bash > /etc/bash_completion.d/olympus-pgbackup
                source <(olympus-pgbackup completion bash)
                """,
            ExitCodes = "0  done\n2  no such shell",
        };
        command.Add(shell);
        command.SetAction(parsed =>
        {
            Terminal.Line(Scripts[parsed.GetValue(shell)!]);
            return 0;
        });
        return command;
    }
}
