using System.Buffers.Text;
using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>A question to a person, sealed by the server that asks.</summary>
internal sealed record SealedPageView(
    [Member("The server that asks.")] string Plane,
    [Member("The question.")] string Page,
    [Member("The version that is bound into the seal.")] long Version,
    [At("Until when it can be answered; when it ended.")] string ExpiresAt,
    [Member("Whether it has ended: then the outcome is sealed, not the question.")] bool Ended,
    [Member("What is sealed, base64url.")] string Sealed
)
{
    public static SealedPageView Of(string plane, string page, StoredPage stored) =>
        new(
            plane,
            page,
            stored.Version,
            Wire.Iso(stored.ExpiresAt),
            stored.EndedAt is not null,
            Base64Url.EncodeToString(stored.Sealed)
        );
}
