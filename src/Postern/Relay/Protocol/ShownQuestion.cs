using System.Text.Json;

namespace Postern.Relay.Protocol;

/// <summary>
/// A question as its server has sealed it for a person (<see cref="PageSeal.Question"/>). All texts are as they are to
/// be shown: what hides or turns text stands there as codes.
/// </summary>
/// <param name="Payload">What it is about; null when there is nothing, or when it was too large.</param>
/// <param name="PayloadWithheld">It was too large: who cannot see it must not decide it here.</param>
/// <param name="PayloadHash">The digest of the payload, which an answer repeats.</param>
internal sealed record ShownQuestion(
    string Agent,
    long Round,
    string? Title,
    string? Description,
    string? Payload,
    bool PayloadWithheld,
    string? PayloadHash,
    IReadOnlyList<ShownChoice> Options,
    ShownTimes Times
)
{
    /// <summary>How what is sealed is written.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 8,
    };
}
