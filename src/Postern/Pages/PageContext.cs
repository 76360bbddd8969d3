using System.Buffers.Text;
using System.Security.Cryptography;
using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The data that every page needs: the request, the signed-in person with the rights, the address of the pages, and the
/// time. Components get it as a cascading value.
/// </summary>
/// <param name="caller">Who is signed in; null on pages for anyone.</param>
/// <param name="now">The database's time, microseconds.</param>
internal sealed class PageContext(HttpContext http, ProjectCaller? caller, Paths paths, long now)
{
    public HttpContext Http => http;

    public Paths Paths => paths;

    public long Now => now;

    /// <summary>
    /// How the person wants to see pages. Streams are shared by many people, so they use the defaults.
    /// </summary>
    public Look Look { get; } = Look.Of(http.Request);

    /// <summary>The signed-in person.</summary>
    /// <exception cref="InvalidOperationException">The page is one for anyone.</exception>
    public ProjectCaller Caller => caller ?? throw new InvalidOperationException("Nobody is signed in.");

    public bool IsSignedIn => caller is not null;

    public string Project => Caller.Project;

    /// <summary>The project's name; empty on pages for anyone.</summary>
    public string ProjectName { get; init; } = "";

    /// <summary>The server's first project. Its administrators see the server itself.</summary>
    public bool IsDefaultProject { get; init; }

    /// <summary>What waits for somebody, shown in the menu and counted in the window's title.</summary>
    public Waiting Waiting { get; init; } = Waiting.Nothing;

    public ConsoleAuthority Authority => (ConsoleAuthority)Caller.Authority;

    /// <summary>The person across all sessions: the id of the key, or the name.</summary>
    public string Person => Authority.Session.Credential;

    /// <summary>The actor for timelines.</summary>
    public Runs.Actor Actor => new(Authority.Credential, Authority.LoggedActor);

    /// <summary>
    /// Whether an element is drawn. The door or handler behind it checks again (<c>ProjectCaller.Allows</c>), so
    /// an element that is not drawn is refused all the same.
    /// </summary>
    public bool May(string action, string type, string? id = null, string? otherId = null) =>
        caller?.Authority.Allows(new RequiredScope(action, type, id, otherId)) == true;

    /// <summary>Whether the person may do it to anything of a type, even to one thing only.</summary>
    public bool MaySome(string action, string type) => caller?.Authority.AllowsSome(action, type) == true;

    /// <summary>Whether the person may begin anything in the playground.</summary>
    public bool MayPlay =>
        MaySome("write", "sessions")
        || MaySome("write", "runs")
        || MaySome("trigger", "tasks")
        || MaySome("write", "triggers");

    public bool MayAdmin => caller?.Authority.Allows(RequiredScope.FullAdmin) == true;

    /// <summary>Whether the person may open a list of a type, even with only a few of its things.</summary>
    public bool MayList(string type) => May("read", type);

    /// <summary>The mark of a form: sent again, the form has no second effect.</summary>
    public string NewOnce() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    /// <summary>
    /// The number after which a stream continues: from a browser that reconnects, else from the page that opens it.
    /// </summary>
    public long ResumeAfter =>
        Live.EventStream.LastEventId(http.Request)
        ?? (long.TryParse(http.Request.Query["after"], out var after) && after is >= 0 and < long.MaxValue ? after : 0);

    /// <summary>The path of a page, such as <c>/runs</c>, as a browser asks for it.</summary>
    public string Of(string page) => paths.Of(page);

    /// <summary>The path of the page of one thing, whose id a caller may have chosen.</summary>
    public string Of(string list, string id) => paths.Of(list + "/" + Uri.EscapeDataString(id));

    /// <summary>Returns this page's address with another query. A null value removes the name.</summary>
    public string With(params ReadOnlySpan<(string Name, string? Value)> changes)
    {
        var query = http
            .Request.Query.Where(q => q.Value.Count > 0 && q.Value.ToString().Length > 0)
            .ToDictionary(q => q.Key, q => q.Value.ToString(), StringComparer.Ordinal);
        foreach (var (name, value) in changes)
        {
            query.Remove(name);
            if (value is not null)
                query[name] = value;
        }
        var text = string.Join(
            '&',
            query.Select(q => Uri.EscapeDataString(q.Key) + "=" + Uri.EscapeDataString(q.Value))
        );
        return paths.Public(http.Request.Path.Value!) + (text.Length == 0 ? "" : "?" + text);
    }

    /// <summary>Returns an instant in words, as how long ago or in how long.</summary>
    public string Relative(long at) => at <= now ? Spans.Words(now - at) + " ago" : "in " + Spans.Words(at - now);

    /// <summary>Returns an instant in the person's zone.</summary>
    public string When(long at) => Look.When(at);

    /// <summary>Returns an instant for machines.</summary>
    public static string Exact(long at) => Wire.Iso(at);
}
