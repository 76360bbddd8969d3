using Postern.Http;

namespace Postern.Access;

/// <summary>
/// The authority of a run's token: one attempt may use its run's doors, and nothing else, whatever scopes the token
/// contains. It ends with the attempt.
/// </summary>
/// <param name="grant">The token, verified.</param>
/// <param name="worker">The run and attempt that it names.</param>
/// <param name="run">The run, watched.</param>
/// <param name="late">How the door answers it when its attempt has just lost the run.</param>
internal sealed class RunGrant(TokenGrant grant, Worker worker, RunWatch run, LateWorker late) : Authority
{
    public override string Credential => "run_token";

    public override string Actor => worker.Run;

    public override string LoggedActor => worker.Run;

    public override UnfitCredential OnceEnded => UnfitCredential.EndedToken;

    public override ScopeSet Scopes => ScopeSet.Nothing;

    public override long? ExpiresAt => grant.ExpiresAt;

    public override bool SpeaksAsUser => true;

    public override Worker Worker => worker;

    public override bool Allows(RequiredScope need) =>
        need.How == Given.Anyhow
        && need.Action is "read" or "write"
        && need.Id is not null
        && need.Type switch
        {
            "runs" => need.Id == worker.Run,
            "sessions" => need.Id == worker.Session,
            _ => false,
        };

    public override string? WhyEnded(long now)
    {
        if (grant.WhyEnded(now) is { } ended)
            return ended;
        return run.Has(worker.Attempt, late, now) ? null : StreamEnd.Revoked;
    }

    public override ValueTask RefreshAsync() => run.EnsureFreshAsync();

    public override IDisposable Follow() => run.Follow();
}
