using Postern.Access;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// Checks that a request to the relay comes from a plane: known, not revoked, signed with its key for this relay,
/// recent, and not seen before. A refusal is signed, so that the plane knows that the relay itself refuses.
/// </summary>
internal sealed class PlaneHandshakes(
    Database database,
    RelayPlaneStore planes,
    RelayIdentity identity,
    SenderGate gate
)
{
    private static readonly long Kept = Wire.Microseconds(RelayLimits.NonceKept);

    private static Refusal Missing { get; } =
        new(401, "Authorization: Postern-Plane … is missing or malformed", "unauthorized")
        {
            Challenge = PlaneAuthorization.Scheme,
            ShouldRetry = false,
        };

    /// <param name="http">The request.</param>
    /// <param name="path">Of its route: a proxy may have taken a prefix away.</param>
    /// <param name="body">What came with it.</param>
    public async Task<Checked<PlaneCaller>> CheckAsync(HttpContext http, string path, ReadOnlyMemory<byte> body)
    {
        var keys = await identity.KeysAsync();
        if (
            http.Request.Headers.Authorization is not [{ } header]
            || PlaneAuthorization.TryParse(header) is not { } asked
        )
            return gate.Refuse(http, "malformed", Missing);
        var plane = await planes.FindAsync(asked.Plane);
        var target = new HandshakeTarget(http.Request.Method, keys.Relay, path, body);
        var why = WhyRefused(plane, asked, target) ?? (await IsFreshAsync(asked) ? null : HandshakeRefusal.NonceUsed);
        return why is null ? new PlaneCaller(plane!, asked) : gate.Refuse(http, why, Refuse(keys, asked, why));
    }

    private string? WhyRefused(RelayPlane? plane, PlaneAuthorization asked, HandshakeTarget target)
    {
        if (plane is null)
            return HandshakeRefusal.UnknownPlane;
        var key = PlaneCaller.KeysOf(plane, database.Now).FirstOrDefault(k => k.Id == asked.Key);
        if (key is null || !asked.IsBy(key, target))
            return HandshakeRefusal.BadSignature;
        if (plane.RevokedAt is not null)
            return HandshakeRefusal.Revoked;
        var off = Math.Abs((database.Now / 1000) - asked.Time);
        return off > RelayLimits.Skew.TotalMilliseconds ? HandshakeRefusal.ClockSkew : null;
    }

    private async Task<bool> IsFreshAsync(PlaneAuthorization asked) =>
        await database.WriteAsync(tx =>
            tx.ExecuteAsync(
                """
                INSERT INTO relay_nonce (plane, nonce, until) VALUES ($1, $2, $3)
                ON CONFLICT (plane, nonce) DO NOTHING
                """,
                asked.Plane,
                asked.Nonce,
                tx.Now + Kept
            )
        ) == 1;

    private Refusal Refuse(RelayIdentity.Keys keys, PlaneAuthorization asked, string why)
    {
        var refusal = HandshakeRefusal.Make(keys.Current, keys.Relay, asked, why, database.Now / 1000);
        return new Refusal(401, "The plane is not let in", why)
        {
            Challenge = PlaneAuthorization.Scheme,
            ShouldRetry = false,
            Extra = [("time", refusal.Time), ("signature", refusal.Signature)],
        };
    }
}
