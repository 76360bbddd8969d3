using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Primitives;
using Postern.Bulk;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The filters of a list, from the query of its page. Each may stand there once (the ids of chosen rows: once a row),
/// with at most <see cref="MaxValue"/> characters. The query is the whole state of a list, so its address can be sent
/// to a colleague.
/// </summary>
internal sealed partial class PageFilters
{
    public const int MaxValue = 256;
    public const int MaxFilters = 20;
    public const int Standard = 50;
    private static readonly string[] OfEveryList = ["cursor", "size"];
    private readonly IQueryCollection _query;

    private PageFilters(IQueryCollection query, IReadOnlyList<string> names, Cursor? after, int size)
    {
        (_query, After, Size) = (query, after, size);
        Used = [.. names.Where(n => this[n].Length > 0)];
    }

    /// <summary>Rows of a page.</summary>
    public int Size { get; }

    /// <summary>The place at which the page begins; null: at the beginning.</summary>
    public Cursor? After { get; }

    /// <summary>The names of the filters in use.</summary>
    public IReadOnlyList<string> Used { get; }

    public string this[string name] => _query[name].ToString().Trim();

    /// <summary>The values of a filter that takes several, separated by commas.</summary>
    public IReadOnlyList<string> List(string name) =>
        this[name].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>The text of a filter; null when it is not in use.</summary>
    public string? Text(string name) => this[name] is { Length: > 0 } text ? text : null;

    /// <summary>
    /// Returns the instant before which a thing is older than the filter <c>older</c> says: <c>90s</c>, <c>2h</c>.
    /// </summary>
    /// <returns>False: it is no span.</returns>
    public bool TryOlder(long now, out long? before)
    {
        before = null;
        if (Text("older") is not { } text)
            return true;
        var match = Span().Match(text);
        if (!match.Success)
            return false;
        var seconds = match.Groups["unit"].Value switch
        {
            "s" => 1L,
            "min" or "m" => 60,
            "h" => 3600,
            _ => 86_400,
        };
        before = now - (long.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture) * seconds * 1_000_000);
        return true;
    }

    /// <summary>
    /// Returns the command that lists the same from a shell. The API has the same filters, except those of the console,
    /// which are named as left out.
    /// </summary>
    public string Curl(
        string path,
        IReadOnlyList<(string Name, string Value)> query,
        params IReadOnlyList<string> ownNames
    )
    {
        // The list of sessions is an older one than the others.
        var (size, most) = path.EndsWith("/sessions", StringComparison.Ordinal) ? ("page[size]", 100) : ("limit", 200);
        var asked = query.Where(q => !ownNames.Contains(q.Name, StringComparer.Ordinal)).ToList();
        if (Size != Standard)
            asked.Add((size, Math.Min(Size, most).ToString(CultureInfo.InvariantCulture)));
        var text = string.Join(
            '&',
            asked.Select(q => Uri.EscapeDataString(q.Name) + "=" + Uri.EscapeDataString(q.Value))
        );
        return Pages.Curl.Get(path + (text.Length == 0 ? "" : "?" + text))
            + Pages.Curl.LeftOut(ownNames.Where(n => this[n].Length > 0));
    }

    public const string OlderIsNone = "older is a span such as 90s, 15min, 2h or 7d";

    [GeneratedRegex("^(?<count>[0-9]{1,5}) ?(?<unit>s|min|m|h|d)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Span();

    /// <summary>Returns the values, or null when one is not allowed; the refusal then names the filter.</summary>
    /// <param name="names">The filters that the list has.</param>
    public static Checked<PageFilters> Read(HttpContext http, params IReadOnlyList<string> names)
    {
        var query = http.Request.Query;
        if (query.Count > MaxFilters)
            return Bad($"There are more than {MaxFilters} filters");
        if (EncodedText.FirstUnfit(http.Request.QueryString.Value?.TrimStart('?') ?? "") is { } unfit)
            return Bad($"{unfit} holds what is no text");
        foreach (var (name, value) in query)
            if (WhyNot(name, value, names) is { } wrong)
                return Bad(wrong);
        Cursor? after = null;
        if (query["cursor"].ToString() is { Length: > 0 } cursor)
        {
            if (!Cursor.TryParse(cursor, out var place))
                return Bad("cursor is none that this list gave");
            after = place;
        }
        var size = Standard;
        if (
            query["size"].ToString() is { Length: > 0 } asked
            && !int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out size)
        )
            return Bad("size is no whole number");
        return new PageFilters(query, names, after, Math.Clamp(size, 10, 200));
    }

    /// <summary>Returns why a filter cannot be read, or null when it can.</summary>
    private static string? WhyNot(string name, StringValues value, IReadOnlyList<string> names)
    {
        var text = value.ToString();
        if (!names.Contains(name, StringComparer.Ordinal) && !OfEveryList.Contains(name, StringComparer.Ordinal))
            return $"{Wire.Cut(name, 64)} is no filter of this list";
        if (name == BulkFilter.Ids ? value.Count > BulkFilter.MaxIds : value.Count > 1)
            return $"{name} is given more than {(name == BulkFilter.Ids ? $"{BulkFilter.MaxIds} times" : "once")}";
        if (name != "cursor" && value.Any(one => one?.Length > MaxValue))
            return $"{name} has more than {MaxValue} characters";
        return text.AsSpan().ContainsAny('\0', '\uFFFD') ? $"{name} holds what is no text" : null;
    }

    /// <summary>Returns the refusal of a filter's value.</summary>
    public static Refusal Bad(string message) => Refusal.BadRequest(message + ".", "invalid_filter");
}
