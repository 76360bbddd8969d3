using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>A plane as the owner of the relay sees it.</summary>
internal sealed record RelayPlaneView(
    [Member("Its id, which stands in its URLs.")] string Id,
    [Member("What it is called here.")] string Name,
    [At("When it joined.")] string CreatedAt,
    [At("When it was last connected.")] string? SeenAt,
    [At("When it was revoked.")] string? RevokedAt,
    [Member("Whether a connection holds it now.")] bool IsHeld,
    [Member("What it has stored, unanswered.")] RelayAmount Backlog,
    [Member("What it may have stored.")] RelayAmount Quota,
    [Member("Its connections.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        IReadOnlyList<RelayConnectionView>? Connections
)
{
    public static RelayPlaneView Of(RelayPlane plane, IReadOnlyList<ConnectionRow>? connections, long now) =>
        new(
            plane.Plane,
            plane.Name,
            Wire.Iso(plane.CreatedAt),
            Wire.Iso(plane.SeenAt),
            Wire.Iso(plane.RevokedAt),
            plane.IsHeldNow(now),
            new RelayAmount(plane.OpenCount, plane.OpenBytes),
            new RelayAmount(plane.Envelopes, plane.Bytes),
            connections
                ?.Select(c => new RelayConnectionView(c.Connection, c.Address, c.Transport, Wire.Iso(c.Since)))
                .ToList()
        );
}
