using Postern.Access;
using Postern.Runs;
using Postern.Storage;

namespace Postern.Sessions;

/// <summary>
/// The tokens that sessions hand to their clients: for one session, an hour, and never wider than who asked.
/// </summary>
internal sealed class SessionTokens(Tokens tokens, Database database)
{
    private const long Hour = 3_600_000_000;

    /// <summary>
    /// For who started the session: bounded as everything derived is. Null: nothing is derived from that credential.
    /// </summary>
    public ValueTask<string?> ForCreatorAsync(ProjectCaller caller, Session session) =>
        DeriveAsync(caller, session.Project, session.Id, session.ExternalId);

    /// <summary>
    /// For a reader of <c>out</c> whose turn has completed: what it may do with the session already, for another hour
    /// at most, and no longer than it could have done it anyway. Null: it may not write, or nothing is derived from its
    /// credential.
    /// </summary>
    public async ValueTask<string?> RefreshAsync(ProjectCaller caller, SessionRef name) =>
        caller.Authority.Lineage is not null
        && caller.Authority.Allows(new RequiredScope("write", "sessions", name.Id, name.ExternalId))
            ? await DeriveAsync(caller, name.Project, name.Id, name.ExternalId)
            : null;

    /// <summary>The token of a run: its session's channels and the run itself, for one attempt.</summary>
    public ValueTask<string> ForRunAsync(Run run, SessionRef? session, long expiresAt)
    {
        List<string> scopes = [$"write:runs:{run.Id}", $"read:runs:{run.Id}"];
        if (session is not null)
            scopes.AddRange([$"read:sessions:{session.Id}", $"write:sessions:{session.Id}"]);
        return tokens.MintForWorkerAsync(run.Project, new Worker(run.Id, run.Attempt, session?.Id), scopes, expiresAt);
    }

    private ValueTask<string?> DeriveAsync(ProjectCaller caller, string project, string id, string? externalId)
    {
        // Internal sessions are for administrators, which no token of theirs would be: it would open nothing.
        if (externalId is not null && Session.IsInternal(externalId))
            return new((string?)null);
        var scopes = new List<string>(2);
        if (caller.Authority.Allows(new RequiredScope("read", "sessions", id, externalId)))
            scopes.Add("read:sessions:" + (externalId ?? id));
        scopes.Add("write:sessions:" + (externalId ?? id));
        return tokens.DeriveAsync(caller.Authority, project, scopes, database.Now + Hour);
    }
}
