namespace Postern.Access;

/// <summary>
/// The authority of a person without a key who started a job from the console, while the session lasts.
/// </summary>
/// <param name="identity">As the proxy or the identity provider named him.</param>
/// <param name="scopes">What he may do.</param>
/// <param name="until">When the session ends at the latest, microseconds.</param>
internal sealed class PersonAuthority(string identity, ScopeSet scopes, long until) : Authority
{
    public override string Credential => "console";

    public override string Actor => identity;

    public override ScopeSet Scopes => scopes;

    public override long? ExpiresAt => until;

    public override string? WhyEnded(long now) => now >= until ? StreamEnd.Expired : null;
}
