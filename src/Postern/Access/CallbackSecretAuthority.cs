namespace Postern.Access;

/// <summary>
/// A trusted orchestrator of one project, by a callback secret: it may report on that project's runs, and nothing else.
/// </summary>
internal sealed class CallbackSecretAuthority(string id) : Authority
{
    private volatile bool _revoked;

    public override string Credential => "callback_secret";

    public override string Actor => id;

    public override string LoggedActor => id;

    public override ScopeSet Scopes => ScopeSet.Nothing;

    public void Revoke() => _revoked = true;

    public override string? WhyEnded(long now) => _revoked ? StreamEnd.Revoked : null;
}
