using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PgBackup.Tests.House;

/// <summary>
/// A text of the product's code as it will be read: literals and interpolated strings that <c>+</c> joins are one text, and a value that is
/// only known at run time is its name between <c>‹</c> and <c>›</c>.
/// </summary>
/// <param name="File">The file it is in.</param>
/// <param name="Place">File and line.</param>
/// <param name="Text">The text.</param>
internal sealed record SourceText(string File, string Place, string Text)
{
    /// <summary>Every text of <c>src</c>.</summary>
    public static IEnumerable<SourceText> All =>
        from source in SourceTree.Source
        from node in source.Root.DescendantNodes().OfType<ExpressionSyntax>()
        where IsText(node) && !(node.Parent is BinaryExpressionSyntax parent && IsText(parent))
        select new SourceText(source.File, SourceTree.Place(source.File, node), Read(node));

    private static bool IsText(ExpressionSyntax node) =>
        node switch
        {
            LiteralExpressionSyntax => node.IsKind(SyntaxKind.StringLiteralExpression),
            InterpolatedStringExpressionSyntax => true,
            BinaryExpressionSyntax sum => sum.IsKind(SyntaxKind.AddExpression) && (IsText(sum.Left) || IsText(sum.Right)),
            _ => false,
        };

    private static string Read(ExpressionSyntax node) =>
        node switch
        {
            _ when !IsText(node) => Value(node),
            LiteralExpressionSyntax literal => literal.Token.ValueText,
            InterpolatedStringExpressionSyntax text => string.Concat(text.Contents.Select(Read)),
            BinaryExpressionSyntax sum => Read(sum.Left) + Read(sum.Right),
            _ => Value(node),
        };

    private static string Read(InterpolatedStringContentSyntax part) =>
        part switch
        {
            InterpolatedStringTextSyntax text => text.TextToken.ValueText,
            InterpolationSyntax value => Value(value.Expression),
            _ => "",
        };

    // {engine.Program}: ‹Program›
    private static string Value(ExpressionSyntax value) => $"‹{value.DescendantTokens().LastOrDefault(IsName).Text}›";

    private static bool IsName(SyntaxToken token) => token.IsKind(SyntaxKind.IdentifierToken);
}
