using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Deliveries;

/// <param name="Sent">Deliveries that go out again.</param>
/// <param name="Skipped">Deliveries that cannot: their endpoint is gone, or what they were for is over.</param>
internal sealed record Replayed(
    [Member("Deliveries that go out again.")] [property: JsonPropertyName("replayed")] int Sent,
    [Member("Deliveries that cannot: their endpoint is gone, or what they were for is over.")] int Skipped
);
