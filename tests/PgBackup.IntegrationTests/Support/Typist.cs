namespace PgBackup.IntegrationTests.Support;

/// <summary>Runs the binary on a terminal, where somebody answers each question once it is there.</summary>
internal static class Typist
{
    /// <summary>A Ctrl-C, and the end of the input.</summary>
    public const string Interrupt = "\\003",
        EndOfInput = "\\004";

    // After the last answer nothing is typed any more; what was typed is echoed by the terminal. A shell between the terminal and the
    // program would end by the Ctrl-C itself, and its exit code be told instead (dash does, and is the shell where SHELL is not set).
    private const string Script = """
        export TERM=dumb; log=$1; command=$2; shift 2; : >"$log"
        { seen=0
          while [ $# -gt 0 ]; do
            t=0
            until tail -c +$((seen + 1)) "$log" | grep -qF -- "$1" || [ $t -ge 600 ]; do sleep 0.1; t=$((t + 1)); done
            seen=$(stat -c %s "$log"); printf '%b' "$2"; shift 2
          done
          sleep 1
        } | script --quiet --return --flush --command "exec $command" "$log"
        """;

    /// <summary>Everything that the terminal showed is the outcome's output. An answer gets its end of line unless it is a control
    /// character.</summary>
    public static Task<Outcome> RunAsync(
        Workspace own,
        IEnumerable<string> words,
        params IEnumerable<(string Question, string Answer)> answers
    ) =>
        Shell.RunAsync(
            "bash",
            [
                "-c",
                Script,
                "bash",
                Path.Combine(own.Folder, $"typed-{Guid.NewGuid():N}"),
                string.Join(' ', [Surroundings.Binary, "--config", own.ConfigFile, .. words]),
                .. answers.SelectMany(static a =>
                    (string[])
                        [
                            a.Question,
                            a.Answer is Interrupt or EndOfInput
                                ? a.Answer
                                : a.Answer.Replace("\\", "\\\\", StringComparison.Ordinal) + "\\n",
                        ]
                ),
            ]
        );
}
