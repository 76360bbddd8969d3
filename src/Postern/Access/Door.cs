using System.Reflection;
using Postern.Http;

namespace Postern.Access;

/// <summary>A handler behind a credential.</summary>
internal delegate Task<IResult> ProjectHandler(HttpContext http, ProjectCaller caller);

/// <summary>A handler that anyone may reach.</summary>
internal delegate Task<IResult> OpenHandler(HttpContext http);

/// <summary>
/// What a door asks of a caller beside the credential. Either the door itself checks one need on the collection, or the handler
/// checks, because the rule depends on the path, the body or the stored row; then the words here are what the table shows, and
/// a handler that answers without having checked is a fault (500), not an open door.
/// </summary>
internal sealed record Rule(string Words, Need? Need = null)
{
    public static Rule None { get; } = new("-");

    /// <summary>Checked by the door before the handler runs.</summary>
    public static Rule Needs(string action, string type) => new($"{action}:{type}", new Need(action, type));

    /// <summary>Bare <c>admin</c>, implied or granted; <c>admin:all</c> is not it.</summary>
    public static Rule Admin { get; } = new("admin", Access.Need.FullAdmin);

    /// <summary>Checked by the handler.</summary>
    public static implicit operator Rule(string words) => new(words);
}

/// <summary>
/// One row of the door table: a method and path, the credentials that open it, and what is behind it. The table, the document
/// and the enforcement are made from this one declaration.
/// </summary>
internal sealed class Door(string method, string path, Opens opens, Rule rule, ErrorFamily family, Delegate handler)
{
    public const string AnyMethod = "ANY";

    public string Method { get; } = method;

    public string Path { get; } = path;

    public Opens Opens { get; } = opens;

    public Rule Rule { get; } = rule;

    public ErrorFamily Family { get; } = family;

    public Delegate Handler { get; } = handler;

    public string Summary { get; private set; } = "";

    public Type? Request { get; private set; }

    public string RequestMedia { get; private set; } = "application/json";

    public List<(int Status, Type? Body, string Media)> Answers { get; } = [];

    public Dictionary<int, Type[]> Alternatives { get; } = [];

    public List<(string Name, string In, string Words)> Parameters { get; } = [];

    /// <summary>Kept out of the document: the document itself and its page.</summary>
    public bool Hidden { get; private set; }

    /// <summary>Exempt from the project's token bucket: a stream is one request however long it lives, and health is asked often.</summary>
    public string Group => Path.Split('/', StringSplitOptions.RemoveEmptyEntries) is [var first, ..] ? first : "";

    /// <summary>How a worker is answered whose attempt has just lost its run.</summary>
    public LateWorker Late { get; private set; }

    /// <summary>Workers report through it: a report that comes late is told what became of its run.</summary>
    public Door ForReports()
    {
        Late = LateWorker.Told;
        return this;
    }

    /// <summary>Workers wait at it for what may end their run: they are still told the end.</summary>
    public Door TellsTheEnd()
    {
        Late = LateWorker.ToldTheEnd;
        return this;
    }

    /// <summary>What the audit calls a change that is made through it; null for what is no change of access, of where data goes, or an operator's act.</summary>
    public string? AuditedAs { get; private set; }

    /// <summary>Every change through it is a row of the audit, written before the answer.</summary>
    public Door Audits(string action)
    {
        AuditedAs = action;
        return this;
    }

    public Door Says(string summary)
    {
        Summary = summary;
        return this;
    }

    public Door Takes<T>(string media = "application/json")
    {
        Request = typeof(T);
        RequestMedia = media;
        return this;
    }

    public Door Gives<T>(int status = 200, string media = "application/json")
    {
        Answers.Add((status, typeof(T), media));
        return this;
    }

    public Door Gives(params ReadOnlySpan<int> statuses)
    {
        foreach (var status in statuses) Answers.Add((status, null, Family.ContentType.Split(';')[0]));
        return this;
    }

    /// <summary>A status whose body is one of several.</summary>
    public Door GivesOneOf(int status, params Type[] bodies)
    {
        Answers.Add((status, null, Family.ContentType.Split(';')[0]));
        Alternatives[status] = bodies;
        return this;
    }

    public Door Query(string name, string words) => With(name, "query", words);

    public Door Header(string name, string words) => With(name, "header", words);

    public Door Hide()
    {
        Hidden = true;
        return this;
    }

    /// <summary>The row of the golden table.</summary>
    public override string ToString() => $"{Method,-6} {Path,-78} {Words(Opens),-32} {Rule.Words}";

    public static string Words(Opens opens) => opens.ToString().Replace(", ", "|", StringComparison.Ordinal);

    /// <summary>Throws when the handler's kind of caller does not fit the declared credential.</summary>
    public void CheckHandlerFits()
    {
        var open = Handler is OpenHandler;
        if (!open && Handler is not ProjectHandler) throw new InvalidOperationException($"{Method} {Path}: a handler is an OpenHandler or a ProjectHandler.");
        if (Opens == 0) throw new InvalidOperationException($"{Method} {Path} names no credential.");
        // A door whose credential only its handler can verify (a signature by a secret that the path names, a token that stands for its headers) says so by its word.
        var verifies = (Opens & Opens.Signature) != 0 || Opens is Opens.CallbackToken or Opens.Link;
        if (open != (Opens == Opens.Anyone || verifies)) throw new InvalidOperationException($"{Method} {Path} opens to {Opens}, but its handler {Handler.GetMethodInfo().Name} takes {(open ? "no caller" : "a project's caller")}.");
        if ((!open || verifies) && Rule == Rule.None) throw new InvalidOperationException($"{Method} {Path} opens to {Opens}, but says nothing of scopes.");
    }

    private Door With(string name, string place, string words)
    {
        Parameters.Add((name, place, words));
        return this;
    }
}
