namespace Postern.Access;

/// <summary>
/// The authority of a project's callback secret, held by a trusted orchestrator. It may report on that project's runs,
/// and nothing else.
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
