using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

internal sealed record UpdateSession(
    [Texts("Words to find the session by, instead of those there are.", 10, 128)] IReadOnlyList<string>? Tags,
    [Chosen("A JSON object instead of the one there is; null clears it.")] JsonElement? Metadata,
    [Text("Cannot be changed: only the one there is may be named.", 1, 512, Trims = true)] string? ExternalId
)
{
    /// <summary>Returns the session with the requested changes; everything else stays as it is.</summary>
    /// <param name="clearsMetadata">Metadata were given as null.</param>
    public Session Over(Session session, bool clearsMetadata) =>
        session with
        {
            Tags = Tags is { } tags ? JsonSerializer.Serialize(tags, Wire.Json) : session.Tags,
            Metadata = clearsMetadata ? null : Metadata?.GetRawText() ?? session.Metadata,
        };
}
