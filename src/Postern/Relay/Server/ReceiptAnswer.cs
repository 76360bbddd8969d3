using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>A plane's answer, as its caller would have got it.</summary>
internal sealed record ReceiptAnswer(
    [Member("Its status.")] int Status,
    [Member("Its headers, by name.")] IReadOnlyDictionary<string, string> Headers,
    [Member("Its body, as text.")] string Body
);
