using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Postern.Http;

namespace Postern.Access;

/// <summary>
/// Whoever signed in to the console: the authority of his key, or of the identity that a proxy vouches for, as long as
/// the session lasts. Nothing is derived from it.
/// </summary>
internal sealed class ConsoleAuthority(ConsoleSessionEntry session, Authority inner, string cookie) : Authority
{
    private const int Burst = 100;
    private const int PerSecond = 20;

    public override string Credential => "console";

    public override string Actor => inner.Actor;

    public override string LoggedActor => inner.LoggedActor;

    public override ScopeSet Scopes => inner.Scopes;

    public override KeyEntry? Key => inner.Key;

    public override KeyGrant? Grant => inner.Grant;

    /// <summary>The key's; of a person without a key it ends with the session.</summary>
    public override Mandate Mandate =>
        inner.Mandate is { } key
            ? key with
            {
                Credential = Credential,
            }
            : new Mandate(Credential, LoggedActor)
            {
                Identity = Actor,
                Session = session.Row.Id,
                Scopes = [.. Scopes.Listed.Select(s => s.ToString())],
            };

    public override string Bucket => "console " + session.Row.Id;

    public override (int Burst, int PerSecond)? OwnRate => (Burst, PerSecond);

    public override UnfitCredential OnceEnded => UnfitCredential.EndedToken;

    public ConsoleSession Session => session.Row;

    /// <summary>
    /// What a form of this session carries: a page of another site, or of another session, cannot know it.
    /// </summary>
    public string FormToken { get; } =
        Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(cookie), "form of the console"u8));

    public override long? ExpiresAt => Math.Min(session.Row.Until, inner.ExpiresAt ?? long.MaxValue);

    public override long? HandsOutUntil => inner.HandsOutUntil;

    public override bool Allows(RequiredScope need) => inner.Allows(need);

    public override bool AllowsSome(string action, string type, Given how = Given.Anyhow) =>
        inner.AllowsSome(action, type, how);

    public override string? WhyEnded(long now) => session.WhyEnded(now) ?? inner.WhyEnded(now);
}
