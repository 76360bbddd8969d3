using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>A plane that has proved its identity.</summary>
internal sealed record PlaneCaller(RelayPlane Plane, PlaneAuthorization Asked)
{
    /// <summary>The keys with which a plane may sign now: two during a rotation.</summary>
    public static P256PublicKey[] KeysOf(RelayPlane plane, long now)
    {
        var sign = P256PublicKey.OfStored(plane.SignKey);
        return plane.OldSignUntil > now && plane.OldSignKey is { } old ? [sign, P256PublicKey.OfStored(old)] : [sign];
    }
}
