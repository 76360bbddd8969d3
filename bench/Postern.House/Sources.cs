using Microsoft.CodeAnalysis.CSharp;

namespace Postern.House;

/// <summary>Reads the files of a project, without what the build made.</summary>
internal static class Sources
{
    public static List<Source> Of(string root) =>
        [
            .. Directory
                .EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
                .Where(path => !path.Contains("/obj/", StringComparison.Ordinal))
                .Where(path => !path.Contains("/bin/", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(path => Read(root, path)),
        ];

    private static Source Read(string root, string path)
    {
        var text = File.ReadAllText(path);
        var parts = Path.GetRelativePath(root, path).Split('/');
        var tree = CSharpSyntaxTree.ParseText(text).GetCompilationUnitRoot();
        return new Source(path, parts.Length > 1 ? parts[0] : "", text.Split('\n'), tree);
    }
}
