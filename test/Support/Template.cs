using System.Text.RegularExpressions;

namespace Postern.Support;

/// <summary>
/// A configuration file from the documents, with the words between @ signs replaced. So the tests use what operators
/// are told to use.
/// </summary>
internal static partial class Template
{
    /// <param name="file">In the repository.</param>
    /// <param name="values">For each word of it that stands between @ signs.</param>
    /// <exception cref="KeyNotFoundException">A word has no value.</exception>
    public static string Fill(string file, IReadOnlyDictionary<string, string> values) =>
        Word.Replace(File.ReadAllText(Repository.File(file)), match => values[match.Groups[1].Value]);

    [GeneratedRegex("@([A-Z_]+)@", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Word { get; }
}
