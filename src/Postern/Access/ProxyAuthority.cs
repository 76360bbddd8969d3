namespace Postern.Access;

/// <summary>
/// An identity that a trusted proxy vouches for with each request, or that an identity provider vouched for when its
/// session began. Its scopes are settings: they live as long as the process.
/// </summary>
internal sealed class ProxyAuthority(string identity, ScopeSet scopes) : Authority
{
    public override string Credential => "operator";

    public override string Actor => identity;

    public override ScopeSet Scopes => scopes;

    public override bool IsAmbient => true;

    public override string? WhyEnded(long now) => null;
}
