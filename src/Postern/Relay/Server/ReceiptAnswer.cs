using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>The answer of a plane, as its caller would have received it.</summary>
internal sealed record ReceiptAnswer(
    [Member("Its status.")] int Status,
    [Member("Its headers, by name.")] IReadOnlyDictionary<string, string> Headers,
    [Member("Its body, as text.")] string Body
);
