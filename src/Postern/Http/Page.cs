using System.Text.Json.Serialization;

namespace Postern.Http;

/// <summary>A page of a list, and the cursor of the next page if there is one.</summary>
internal sealed record Page<T>(
    [Member("The items of the page.")] IReadOnlyList<T> Data,
    [Member("Where the next page begins, when there is more.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? NextCursor
);

internal static class Page
{
    public static Page<TView> Of<TRow, TView>(Storage.Listed<TRow> found, Func<TRow, TView> view) =>
        new([.. found.Rows.Select(view)], Cursor.Text(found.Next));

    /// <summary>Makes a page from rows of which one more than a page was read.</summary>
    public static Page<TView> Of<TRow, TView>(
        List<TRow> rows,
        int limit,
        Func<TRow, TView> view,
        Func<TRow, Cursor> cursor
    ) => new([.. rows.Take(limit).Select(view)], rows.Count > limit ? cursor(rows[limit - 1]).ToString() : null);
}
