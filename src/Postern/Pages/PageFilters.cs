using System.Globalization;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The filters of a list, from the query of its page: each once, of at most <see cref="MaxValue"/> characters. The
/// query is the whole state of a list, so its address can be sent to a colleague.
/// </summary>
internal sealed class PageFilters
{
    public const int MaxValue = 256;
    public const int MaxFilters = 20;
    private const int Standard = 50;
    private static readonly string[] OfEveryList = ["cursor", "size"];
    private readonly IQueryCollection _query;

    private PageFilters(IQueryCollection query, IReadOnlyList<string> names, Cursor? after, int size)
    {
        (_query, After, Size) = (query, after, size);
        Used = [.. names.Where(n => this[n].Length > 0)];
    }

    /// <summary>Rows of a page.</summary>
    public int Size { get; }

    /// <summary>Where the page begins; null: at the beginning.</summary>
    public Cursor? After { get; }

    /// <summary>The names of the filters that narrow the list.</summary>
    public IReadOnlyList<string> Used { get; }

    public string this[string name] => _query[name].ToString().Trim();

    /// <summary>The values of a filter that takes several, with commas between them.</summary>
    public IReadOnlyList<string> List(string name) =>
        this[name].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Null where a value is none of the words of a filter, which the refusal names.</summary>
    /// <param name="names">The filters that the list has.</param>
    public static Checked<PageFilters> Read(HttpContext http, params IReadOnlyList<string> names)
    {
        var query = http.Request.Query;
        if (query.Count > MaxFilters)
            return Bad($"There are more than {MaxFilters} filters");
        foreach (var (name, value) in query)
        {
            var text = value.ToString();
            if (!names.Contains(name, StringComparer.Ordinal) && !OfEveryList.Contains(name, StringComparer.Ordinal))
                return Bad($"{Wire.Cut(name, 64)} is no filter of this list");
            if (value.Count > 1)
                return Bad($"{name} is given more than once");
            if (text.Length > MaxValue && name != "cursor")
                return Bad($"{name} has more than {MaxValue} characters");
            if (text.Contains('\0', StringComparison.Ordinal) || text.Contains('\uFFFD', StringComparison.Ordinal))
                return Bad($"{name} holds what is no text");
        }
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

    /// <summary>The refusal of a filter's value.</summary>
    public static Refusal Bad(string message) => Refusal.BadRequest(message + ".", "invalid_filter");
}
