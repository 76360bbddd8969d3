using Postern.Access;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// Makes the tokens that sessions give to their clients: for one session, for an hour, and never wider than the
/// caller's rights.
/// </summary>
internal sealed class SessionTokens(Tokens tokens, Database database)
{
    private const long Hour = 3_600_000_000;

    /// <summary>
    /// Makes a token for the client that started the session, with the limits of every derived token. Returns null when
    /// nothing may be derived from its credential.
    /// </summary>
    public ValueTask<string?> ForCreatorAsync(ProjectCaller caller, Session session) =>
        DeriveAsync(caller, session.Project, session.Id, session.ExternalId);

    /// <summary>
    /// Makes a token for a reader of <c>out</c> after a turn: its present rights to the session, for at most another
    /// hour, and no longer than it has them anyway. Returns null when it may not write, or when nothing may be derived
    /// from its credential.
    /// </summary>
    public async ValueTask<string?> RefreshAsync(ProjectCaller caller, SessionRef name) =>
        caller.Authority.Lineage is not null
        && caller.Authority.Allows(new RequiredScope("write", "sessions", name.Id, name.ExternalId))
            ? await DeriveAsync(caller, name.Project, name.Id, name.ExternalId)
            : null;

    /// <summary>Makes the token of a run: its session's channels and the run itself, for one attempt.</summary>
    public ValueTask<string> ForRunAsync(Run run, SessionRef? session, long expiresAt)
    {
        List<string> scopes = [$"write:runs:{run.Id}", $"read:runs:{run.Id}"];
        if (session is not null)
            scopes.AddRange([$"read:sessions:{session.Id}", $"write:sessions:{session.Id}"]);
        return tokens.MintForWorkerAsync(run.Project, new Worker(run.Id, run.Attempt, session?.Id), scopes, expiresAt);
    }

    private ValueTask<string?> DeriveAsync(ProjectCaller caller, string project, string id, string? externalId)
    {
        // Internal sessions are for administrators. A derived token would have no such right and open nothing.
        if (externalId is not null && Session.IsInternal(externalId))
            return new((string?)null);
        var scopes = new List<string>(2);
        if (caller.Authority.Allows(new RequiredScope("read", "sessions", id, externalId)))
            scopes.Add("read:sessions:" + (externalId ?? id));
        scopes.Add("write:sessions:" + (externalId ?? id));
        return tokens.DeriveAsync(caller.Authority, project, scopes, database.Now + Hour);
    }
}
