namespace Postern.Http;

/// <summary>The checked <c>limit</c> and <c>cursor</c> of a list route.</summary>
internal readonly record struct PageQuery(int Limit, Cursor? After)
{
    public static Checked<PageQuery> Read(HttpContext http, int standard, int max)
    {
        var limit = standard;
        if (
            http.Request.Query.TryGetValue("limit", out var asked)
            && (
                !int.TryParse(asked, System.Globalization.NumberStyles.None, null, out limit)
                || limit < 1
                || limit > max
            )
        )
            return Refusal.BadRequest($"limit must be a whole number from 1 to {max}", "invalid_limit");
        if (!http.Request.Query.TryGetValue("cursor", out var text))
            return new PageQuery(limit, null);
        return Cursor.TryParse(text.ToString(), out var cursor)
            ? new PageQuery(limit, cursor)
            : Refusal.BadRequest("cursor must be one that this list gave", "invalid_cursor");
    }
}
