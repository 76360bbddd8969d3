using System.Globalization;
using System.Text.RegularExpressions;
using Postern.Http;

namespace Postern.Pages;

/// <summary>Finds the instants in a sentence of this server, so that a page shows them as times.</summary>
internal static partial class Instants
{
    /// <summary>Returns the parts of a text, in order; for an instant, also its microseconds.</summary>
    public static IEnumerable<(string Part, long? At)> In(string text)
    {
        var from = 0;
        foreach (Match match in Instant().Matches(text))
        {
            if (!DateTimeOffset.TryParse(match.Value, CultureInfo.InvariantCulture, out var at))
                continue;
            yield return (text[from..match.Index], null);
            yield return (match.Value, Wire.Microseconds(at));
            from = match.Index + match.Length;
        }
        yield return (text[from..], null);
    }

    [GeneratedRegex(
        @"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z",
        RegexOptions.CultureInvariant,
        matchTimeoutMilliseconds: 1000
    )]
    private static partial Regex Instant();
}
