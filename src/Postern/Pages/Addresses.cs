using System.Text.RegularExpressions;

namespace Postern.Pages;

/// <summary>Finds the http(s) addresses in a text that somebody else wrote.</summary>
internal static partial class Addresses
{
    /// <summary>
    /// Returns the parts of a text, in order, and which of them are addresses; at most a fixed number of them.
    /// </summary>
    public static IEnumerable<(string Part, bool IsLink)> In(string text, int most)
    {
        var from = 0;
        foreach (var match in Address().Matches(text).Take(most))
        {
            // The punctuation that ends a sentence is not part of the address.
            var address = match.Value.TrimEnd('.', ',', ';', ':', '!', '?', ')', ']', '}', '\'', '"');
            if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
                continue;
            yield return (text[from..match.Index], false);
            yield return (address, true);
            from = match.Index + address.Length;
        }
        yield return (text[from..], false);
    }

    [GeneratedRegex("https?://[!-~]{1,2000}", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Address();
}
