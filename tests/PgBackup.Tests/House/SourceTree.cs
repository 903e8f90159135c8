using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PgBackup.Tests.House;

/// <summary>The source files of the repository, as they lie on the disk.</summary>
internal static class SourceTree
{
    private static readonly Lazy<IReadOnlyList<(string File, SyntaxNode Root)>> Parsed = new(static () =>
        [.. Files("src").Select(static file => (Short(file), CSharpSyntaxTree.ParseText(File.ReadAllText(file)).GetRoot()))]
    );

    /// <summary>The files of <c>src</c>, parsed once.</summary>
    public static IReadOnlyList<(string File, SyntaxNode Root)> Source => Parsed.Value;

    /// <summary>The C# files below a folder of the repository, whole paths.</summary>
    public static IEnumerable<string> Files(string folder) =>
        Directory
            .EnumerateFiles(Path.Combine(TestRun.Repository, folder), "*.cs", SearchOption.AllDirectories)
            .Where(static f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal));

    /// <summary>A file's path within the repository.</summary>
    public static string Short(string file) => Path.GetRelativePath(TestRun.Repository, file);

    /// <summary>Where a node stands: file and line.</summary>
    public static string Place(string file, SyntaxNode node) => $"{file}:{First(node) + 1}";

    /// <summary>How many lines a node takes, its documentation and attributes apart.</summary>
    public static int Lines(SyntaxNode node, SyntaxToken first)
    {
        int begin = first.GetLocation().GetLineSpan().StartLinePosition.Line;
        return node.GetLocation().GetLineSpan().EndLinePosition.Line - begin + 1;
    }

    private static int First(SyntaxNode node) => node.GetLocation().GetLineSpan().StartLinePosition.Line;
}
