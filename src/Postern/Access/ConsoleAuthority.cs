using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Postern.Http;

namespace Postern.Access;

/// <summary>
/// The authority of a person who is signed in to the console. It is that of the key, or of the identity that a proxy
/// vouches for, while the session lasts. Nothing is derived from it.
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

    /// <summary>The end of the key; for a person without a key, the end of the session.</summary>
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

    /// <summary>A session has few pages in any case, and a key has several sessions.</summary>
    public override bool HasStreamsOfToken => false;

    public override (int Burst, int PerSecond)? OwnRate => (Burst, PerSecond);

    public override UnfitCredential OnceEnded => UnfitCredential.EndedToken;

    public ConsoleSession Session => session.Row;

    /// <summary>
    /// The token in a form of this session. A page of another site or another session cannot know it.
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
