using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using PgBackup.App.Verbs;

namespace PgBackup.App;

/// <summary>The usual help, followed by the verb's examples and exit codes.</summary>
/// <param name="help">The usual help.</param>
/// <param name="run">The verb that runs where none is written.</param>
internal sealed class ExamplesHelpAction(HelpAction help, VerbCommand run) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        int result = help.Invoke(parseResult);
        VerbCommand verb = parseResult.CommandResult.Command as VerbCommand ?? run;
        TextWriter output = parseResult.InvocationConfiguration.Output;
        output.WriteLine("Examples:");
        output.WriteLine(Indent(verb.Examples));
        output.WriteLine();
        output.WriteLine("Exit codes:");
        output.WriteLine(Indent(verb.ExitCodes));
        output.WriteLine();
        return result;
    }

    private static string Indent(string text) => string.Join(Environment.NewLine, text.Split('\n').Select(static l => "  " + l));
}
