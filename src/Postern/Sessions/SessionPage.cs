using Postern.Http;
using Postern.Storage;

namespace Postern.Sessions;

internal sealed record SessionPage(
    [Member("The sessions of the page.")] IReadOnlyList<SessionItem> Data,
    [Member("Where the pages beside this one begin.")] PageLinks Pagination
)
{
    public static SessionPage Of(Listed<Session> found, SessionQuery query, long now)
    {
        var backwards = query.Filter.Before is not null;
        var page = backwards ? found.Rows.Reverse().ToList() : found.Rows;
        var goesOn = Cursor.Text(found.Next);
        // The cursor back: from the other end of the page, or from the beginning of an empty one.
        var back = backwards
            ? page.Count > 0
                ? At(page[^1])
                : query.Filter.Before?.ToString()
            : query.Filter.After is null
                ? null
                : page.Count > 0
                    ? At(page[0])
                    : query.Filter.After?.ToString();
        var links = backwards ? new PageLinks(back, goesOn) : new PageLinks(goesOn, back);
        return new SessionPage([.. page.Select(s => SessionItem.Of(s, now))], links);

        static string At(Session s) => new Cursor(s.CreatedAt, s.Id).ToString();
    }
}
