using System.Text.Json;

namespace Postern.Relay.Protocol;

/// <summary>
/// A question as its server has sealed it for a person (<see cref="PageSeal.Question"/>). All texts are ready to be
/// shown: characters that hide or turn text are already replaced by codes.
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
    /// <summary>The options of the JSON that is sealed.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        MaxDepth = 8,
    };
}
