namespace Postern.Access;

/// <summary>
/// An identity for which a trusted proxy vouches with each request, or for which an identity provider vouched when the
/// session began. Its scopes are settings, so they do not change while the process lives.
/// </summary>
internal sealed class ProxyAuthority(string identity, ScopeSet scopes) : Authority
{
    public override string Credential => "operator";

    public override string Actor => identity;

    public override ScopeSet Scopes => scopes;

    public override bool IsAmbient => true;

    public override string? WhyEnded(long now) => null;
}
