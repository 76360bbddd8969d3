using System.Text.Json.Serialization;

namespace Postern.Http;

/// <summary>A page of a list and, when there is more, where it goes on.</summary>
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

    /// <summary>A page from one row more than it holds.</summary>
    public static Page<TView> Of<TRow, TView>(
        List<TRow> rows,
        int limit,
        Func<TRow, TView> view,
        Func<TRow, Cursor> cursor
    ) => new([.. rows.Take(limit).Select(view)], rows.Count > limit ? cursor(rows[limit - 1]).ToString() : null);
}
