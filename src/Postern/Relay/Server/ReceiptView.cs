using System.Text;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>The state of a stored request.</summary>
internal sealed record ReceiptView(
    [Member("The stored request.")] string Envelope,
    [Word("Whether it was answered.", "stored", "answered", "expired")] string Status,
    [At("When it was stored.")] string ReceivedAt,
    [At("When it was answered.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? AnsweredAt,
    [Member("The answer of the plane.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        ReceiptAnswer? Answer
)
{
    public static ReceiptView Of(StoredAnswer found) =>
        new(
            found.Id,
            // The relay's owner has deleted it. For the sender there is no difference.
            found.State == EnvelopeState.Deleted
                ? EnvelopeState.Expired
                : found.State,
            Wire.Iso(found.ReceivedAt),
            found.IsAnswered ? Wire.Iso(found.EndedAt) : null,
            found.IsAnswered
                ? new ReceiptAnswer(
                    found.Status == 0 ? 502 : found.Status,
                    found
                        .Headers.DistinctBy(h => h[0].ToLowerInvariant())
                        .ToDictionary(h => h[0], h => h[1], StringComparer.Ordinal),
                    Encoding.UTF8.GetString(found.Body)
                )
                : null
        );
}
