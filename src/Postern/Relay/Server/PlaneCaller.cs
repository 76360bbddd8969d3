using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>A plane that has proved who it is.</summary>
internal sealed record PlaneCaller(RelayPlane Plane, PlaneAuthorization Asked)
{
    /// <summary>The keys that sign for a plane now: during a rotation two.</summary>
    public static P256PublicKey[] KeysOf(RelayPlane plane, long now)
    {
        var sign = P256PublicKey.TryParse(plane.SignKey)!;
        return plane.OldSignUntil > now && P256PublicKey.TryParse(plane.OldSignKey) is { } old ? [sign, old] : [sign];
    }
}
