using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace PgBackup.App;

/// <summary>The usual help, followed by the verb's examples and exit codes.</summary>
internal sealed class ExamplesHelpAction(HelpAction help) : SynchronousCommandLineAction
{
    private static readonly Dictionary<Command, (string Examples, string ExitCodes)> Texts = [];

    /// <summary>Gives a verb its examples and its exit codes.</summary>
    public static Command Describe(Command command, string examples, string exitCodes)
    {
        Texts[command] = (examples, exitCodes);
        return command;
    }

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int result = help.Invoke(parseResult);
        if (Texts.TryGetValue(parseResult.CommandResult.Command, out (string Examples, string ExitCodes) text))
        {
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine("Examples:");
            output.WriteLine(Indent(text.Examples));
            output.WriteLine();
            output.WriteLine("Exit codes:");
            output.WriteLine(Indent(text.ExitCodes));
            output.WriteLine();
        }

        return result;
    }

    private static string Indent(string text) => string.Join(Environment.NewLine, text.Split('\n').Select(static l => "  " + l));
}
