using System.Buffers;
using System.Text.Json;
using Postern.Access;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// Finds the session that a path names, for a caller. A caller who may neither do this nor read the session gets the
/// same 404 whether or not it exists. A caller who may read it gets 403.
/// </summary>
internal sealed class SessionDoor(SessionStore sessions, Transcript transcript)
{
    /// <summary>Returns the whole row, for routes that show or change it.</summary>
    public ValueTask<Checked<Session>> FindAsync(HttpContext http, ProjectCaller caller, int segment, string action) =>
        FindAsync(http, caller, segment, action, sessions.FindAsync, Conversation.NameOf);

    /// <summary>Returns the part that never changes, for appends and streams.</summary>
    public ValueTask<Checked<SessionRef>> NameAsync(
        HttpContext http,
        ProjectCaller caller,
        int segment,
        string action
    ) => FindAsync(http, caller, segment, action, sessions.NameAsync, name => name);

    private async ValueTask<Checked<T>> FindAsync<T>(
        HttpContext http,
        ProjectCaller caller,
        int segment,
        string action,
        Func<string, string, ValueTask<T?>> find,
        Func<T, SessionRef> nameOf
    )
        where T : class
    {
        if (RequestPath.Segment(http, segment) is not { } reference)
            return NotFound(caller);
        var found = await find(caller.Project, reference);
        if (Check(caller, reference, found is null ? null : nameOf(found), action) is { } refusal)
            return refusal;
        return found!;
    }

    /// <summary>The same, but a name that no session has yet is accepted.</summary>
    public async ValueTask<Checked<NamedSession>> NameOrUnbornAsync(
        HttpContext http,
        ProjectCaller caller,
        int segment,
        string action
    )
    {
        if (RequestPath.Segment(http, segment) is not { } reference)
            return NotFound(caller);
        var name = await sessions.NameAsync(caller.Project, reference);
        var unborn = name is null && Session.Validate(reference) is null;
        // A session that will be internal is treated as internal before it exists.
        if (unborn && !Hides(caller, reference, null) && caller.Allows(action, "sessions", reference))
            return new NamedSession(reference, null);
        if (Check(caller, reference, name, action) is { } refusal)
            return refusal;
        return new NamedSession(reference, name);
    }

    public async Task<IResult> TranscriptAsync(HttpContext http, Session session)
    {
        var limit = 100;
        if (
            http.Request.Query.TryGetValue("limit", out var asked)
            && (!int.TryParse(asked, System.Globalization.NumberStyles.None, null, out limit) || limit is < 1 or > 1000)
        )
            return Refusal.BadRequest("limit must be a whole number from 1 to 1000", "invalid_body");
        var before = long.MaxValue;
        if (
            http.Request.Query.TryGetValue("before", out var cursor)
            && (!long.TryParse(cursor, System.Globalization.NumberStyles.None, null, out before) || before < 1)
        )
            return Refusal.BadRequest("before must be a nextCursor of this list", "invalid_body");
        var messages = await transcript.BeforeAsync(session.Project, session.Id, before, limit + 1);
        var more = messages.Count > limit;
        var page = messages.Take(limit).Reverse().ToList();
        var buffer = new ArrayBufferWriter<byte>();
        await using (var json = new Utf8JsonWriter(buffer, Wire.WriterOptions))
        {
            json.WriteStartObject();
            json.WritePropertyName("messages");
            json.WriteRawValue(Message.RenderAll(page), skipInputValidation: true);
            if (more)
                json.WriteString("nextCursor", page[0].Seq.ToString());
            json.WriteEndObject();
        }
        return Reply.Bytes(200, buffer.WrittenMemory);
    }

    /// <summary>
    /// Returns whether a session is internal and the caller is neither an administrator nor its worker. Then, for this
    /// caller, there is no such session at any door. The rights behind the answer are checked again while the request
    /// lives.
    /// </summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="name">The session's external id, or whatever else the path names it by.</param>
    /// <param name="id">The session's id; null when there is none of that name.</param>
    public static bool Hides(ProjectCaller caller, string name, string? id) =>
        Session.IsInternal(name)
        && !caller.Allows(RequiredScope.FullAdmin)
        && (id is null || !caller.Authority.IsWorkerOf(id));

    /// <summary>The same for a thing that belongs to a session, such as a run; null means no session.</summary>
    public async ValueTask<bool> HidesAsync(ProjectCaller caller, string? session) =>
        session is not null
        && await sessions.NameAsync(caller.Project, session) is { } name
        && Hides(caller, name.Name, name.Id);

    private static Refusal? Check(ProjectCaller caller, string reference, SessionRef? name, string action)
    {
        if (Hides(caller, name?.Name ?? reference, name?.Id))
            return NotFound(caller);
        var (id, other) = name is null ? (reference, null) : (name.Id, name.ExternalId);
        var allowed = caller.Allows(action, "sessions", id, other);
        if (name is not null && allowed)
            return null;
        if (name is null || !caller.Allows("read", "sessions", id, other))
            return SessionFamily.NotFound;
        return SessionFamily.Instance.Forbidden($"{action}:sessions:{reference}");
    }

    private static Refusal NotFound(ProjectCaller caller)
    {
        caller.DecidedByHandler();
        return SessionFamily.NotFound;
    }
}
