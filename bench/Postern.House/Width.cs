using System.Text.RegularExpressions;

namespace Postern.House;

/// <summary>
/// Finds the lines over 120 columns in what is not C#: pages, styles, scripts and documents. The tidy tests compile
/// this file too, so that the measurement and the test count the same lines.
/// </summary>
internal static partial class Width
{
    /// <summary>The most columns of a line.</summary>
    public const int Most = 120;

    private static readonly string[] Kinds = [".razor", ".css", ".js", ".mjs", ".sh", ".md"];

    /// <summary>What the build, git and npm make, and the libraries that the console serves unchanged.</summary>
    private static readonly string[] Foreign =
    [
        "/obj/",
        "/bin/",
        "/.git/",
        "/node_modules/",
        "/assets/oat/",
        "/assets/uplot/",
        "/assets/octicons/",
    ];

    /// <summary>Returns the files that are held to the limit.</summary>
    public static IEnumerable<string> Files(string root) =>
        Directory
            .EnumerateFiles(root, "*", SearchOption.AllDirectories)
            .Where(path => Kinds.Contains(Path.GetExtension(path)))
            .Where(path => !Foreign.Any(part => path.Contains(part, StringComparison.Ordinal)))
            .Order(StringComparer.Ordinal);

    /// <summary>Returns the numbers of the lines of a file that are too wide and could be broken, from 1.</summary>
    public static IEnumerable<int> WideIn(string path)
    {
        var isDocument = path.EndsWith(".md", StringComparison.Ordinal);
        var isCode = false;
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            if (isDocument && line.TrimStart().StartsWith("```", StringComparison.Ordinal))
                isCode = !isCode;
            if (line.Length > Most && !(isDocument && (isCode ? Answer() : Whole()).IsMatch(line)))
                yield return number;
        }
    }

    /// <summary>A row of a table, or a link, which cannot be broken.</summary>
    [GeneratedRegex(@"^\s*\||\S{80}")]
    private static partial Regex Whole();

    /// <summary>An answer of the server, which is one line, or a text in quotes, which JSON cannot break.</summary>
    [GeneratedRegex(@"^(?:data: )?\{""|""(?:[^""\\]|\\.){80,}""")]
    private static partial Regex Answer();
}
