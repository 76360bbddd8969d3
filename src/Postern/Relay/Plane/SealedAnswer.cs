using System.Text.Json.Serialization;
using Postern.Approvals;
using Postern.Http;

namespace Postern.Relay.Plane;

/// <summary>The answer of a person, as it is sealed inside a <see cref="Protocol.PageAnswer"/>.</summary>
internal sealed record SealedAnswer
{
    [Word(
        "The decision.",
        Postern.Approvals.Decision.Approved,
        Postern.Approvals.Decision.RequestChanges,
        Postern.Approvals.Decision.Rejected
    )]
    public required string Decision { get; init; }

    [Text("The chosen one of those offered: its value.", 0, 16 * 1024)]
    public string? Option { get; init; }

    [Text("What the agent reads.", 0, PageStyle.MaxComment)]
    public string? Comment { get; init; }

    [Text("The digest of what was shown.", 0, 256)]
    [JsonPropertyName("payload_hash")]
    public string? PayloadHash { get; init; }

    [At("When it was answered, by the clock of the person's browser.")]
    public long? At { get; init; }

    [Text("The same as outside of the seal.", 22, 22)]
    public required string Nonce { get; init; }
}
