using System.Buffers.Text;
using System.Text;
using System.Text.Json.Serialization;

namespace Postern.Http;

/// <summary>An opaque cursor of a list: where the page ended, by (time, id). Clients give it back as it came.</summary>
internal readonly record struct Cursor(long At, string Id)
{
    /// <summary>Ids that callers choose have up to 255 characters, of up to four bytes.</summary>
    private const int MaxLength = 1500;

    public (long At, string Id) Place => (At, Id);

    /// <summary>The cursor behind a place; null where there is none.</summary>
    public static string? Text((long At, string Id)? place) =>
        place is { } at ? new Cursor(at.At, at.Id).ToString() : null;

    public override string ToString() => Base64Url.EncodeToString(Encoding.UTF8.GetBytes($"{At}~{Id}"));

    public static bool TryParse(string text, out Cursor cursor)
    {
        cursor = default;
        if (text.Length > MaxLength || !Base64Url.IsValid(text)) return false;
        var plain = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(text));
        var mark = plain.IndexOf('~', StringComparison.Ordinal);
        if (mark <= 0 || plain.Contains('\0', StringComparison.Ordinal) || plain.Contains('\uFFFD', StringComparison.Ordinal) || !long.TryParse(plain.AsSpan(0, mark), out var at)) return false;
        cursor = new Cursor(at, plain[(mark + 1)..]);
        return true;
    }
}

/// <summary>The <c>limit</c> and <c>cursor</c> of a list route, checked.</summary>
internal readonly record struct PageQuery(int Limit, Cursor? After)
{
    public static (PageQuery Page, Refusal? Refusal) Read(HttpContext http, int standard, int max)
    {
        var limit = standard;
        if (http.Request.Query.TryGetValue("limit", out var asked) && (!int.TryParse(asked, System.Globalization.NumberStyles.None, null, out limit) || limit < 1 || limit > max))
            return (default, Refusal.BadRequest($"limit must be a whole number from 1 to {max}", "invalid_limit"));
        if (!http.Request.Query.TryGetValue("cursor", out var text)) return (new PageQuery(limit, null), null);
        return Cursor.TryParse(text.ToString(), out var cursor)
            ? (new PageQuery(limit, cursor), null)
            : (default, Refusal.BadRequest("cursor must be one that this list gave", "invalid_cursor"));
    }
}

/// <summary>A page of a list and, when there is more, where it goes on.</summary>
internal sealed record Page<T>(
    [Member("The items of the page.")] IReadOnlyList<T> Data,
    [Member("Where the next page begins, when there is more.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    string? NextCursor);

internal static class Page
{
    public static Page<TView> Of<TRow, TView>(Storage.Listed<TRow> found, Func<TRow, TView> view) =>
        new([.. found.Rows.Select(view)], Cursor.Text(found.Next));

    /// <summary>A page from one row more than it holds.</summary>
    public static Page<TView> Of<TRow, TView>(List<TRow> rows, int limit, Func<TRow, TView> view, Func<TRow, Cursor> cursor) =>
        new([.. rows.Take(limit).Select(view)], rows.Count > limit ? cursor(rows[limit - 1]).ToString() : null);
}
