using Postern.Sessions;

namespace Postern.Pages;

/// <summary>Sessions by their ids and external ids, or the beginnings of these, and by their keys.</summary>
internal sealed class SessionFinds(SessionStore sessions)
{
    /// <summary>The page of the session; null where there is none for whoever asks.</summary>
    public async ValueTask<string?> PathAsync(PageContext context, string text) =>
        Path(context, await sessions.FindAsync(context.Project, text))
        ?? Path(context, await sessions.FindByKeyAsync(context.Project, text));

    private static string? Path(PageContext context, Session? session) =>
        session is not null
        && !SessionDoor.Hides(context.Caller, session.Name, session.Id)
        && context.Caller.Allows("read", "sessions", session.Id, session.ExternalId)
            ? context.Of("/sessions", session.Id)
            : null;

    public async ValueTask<List<FoundThing>> BeginningWithAsync(PageContext context, string text, int most)
    {
        if (!context.Caller.Allows("read", "sessions"))
            return [];
        var found = await sessions.BeginningWithAsync(context.Project, text, context.MayAdmin, most);
        return [.. found.Select(s => new FoundThing("session", s.Name, context.Of("/sessions", s.Id)))];
    }
}
