using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PgBackup.Tests.House;

/// <summary>How large the pieces of the product's code may be, measured by the compiler's own parser.</summary>
public sealed class HouseCodeTests
{
    private const int MostColumns = 140;
    private const int MostLines = 80;
    private const int MostParameters = 7;
    private const int CloneLines = 8;

    [Fact]
    public void No_line_is_wider_than_a_screen() =>
        SourceTree
            .Files("src")
            .SelectMany(static file =>
                File.ReadLines(file).Index().Select(line => (Place: $"{SourceTree.Short(file)}:{line.Index + 1}", line.Item))
            )
            .Where(static line => line.Item.Length > MostColumns)
            .Select(static line => line.Place)
            .ShouldBeEmpty();

    [Fact]
    public void A_method_fits_on_two_screens()
    {
        IEnumerable<string> tooLong =
            from source in SourceTree.Source
            from method in source.Root.DescendantNodes().OfType<BaseMethodDeclarationSyntax>()
            let lines = SourceTree.Lines(method, method.Modifiers.FirstOrDefault(method.GetFirstToken()))
            where lines > MostLines
            select $"{SourceTree.Place(source.File, method)} has {lines} lines";
        tooLong.ShouldBeEmpty();
    }

    // A record is a list of named values, and everything can be cancelled.
    [Fact]
    public void A_call_has_few_arguments()
    {
        IEnumerable<string> tooMany =
            from source in SourceTree.Source
            from list in source.Root.DescendantNodes().OfType<ParameterListSyntax>()
            where list.Parent is not RecordDeclarationSyntax
            let parameters = list.Parameters.Count(static p => p.Type?.ToString() != "CancellationToken")
            where parameters > MostParameters
            select $"{SourceTree.Place(source.File, list)} has {parameters} parameters";
        tooMany.ShouldBeEmpty();
    }

    [Fact]
    public void Nothing_is_written_twice()
    {
        List<SourceLine> lines = [.. SourceTree.Source.SelectMany(static s => LinesOf(s.File, s.Root))];
        Dictionary<string, int> seen = new(StringComparer.Ordinal);
        List<string> clones = [];
        int reported = -1;
        for (int i = 0; i + CloneLines <= lines.Count; i++)
        {
            if (lines[i].File != lines[i + CloneLines - 1].File)
            {
                continue;
            }

            string text = string.Join('\n', lines.GetRange(i, CloneLines).Select(static l => l.Text));
            if (!seen.TryAdd(text, i) && i >= seen[text] + CloneLines && i > reported)
            {
                SourceLine first = lines[seen[text]];
                clones.Add($"{lines[i].File}:{lines[i].Number} is {first.File}:{first.Number}");
                reported = i + CloneLines - 1;
            }
        }

        clones.ShouldBeEmpty();
    }

    // The lines that say something: no comments, no `using`, no attributes, and none of punctuation alone.
    private static IEnumerable<SourceLine> LinesOf(string file, SyntaxNode root) =>
        from token in root.DescendantTokens(static n => n is not (UsingDirectiveSyntax or AttributeListSyntax))
        where !token.Span.IsEmpty
        group token by token.GetLocation().GetLineSpan().StartLinePosition.Line into line
        where line.Any(static t => !t.IsKind(SyntaxKind.None) && !SyntaxFacts.IsPunctuation(t.Kind()))
        select new SourceLine(file, line.Key + 1, string.Join(' ', line.Select(static t => t.Text)));

    private sealed record SourceLine(string File, int Number, string Text);
}
