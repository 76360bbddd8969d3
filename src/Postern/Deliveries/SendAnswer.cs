namespace Postern.Deliveries;

/// <summary>The body of a 2xx, unchanged.</summary>
/// <param name="IsWhole">It was read to its end.</param>
internal sealed record SendAnswer(
    byte[] Body,
    bool IsWhole,
    string? ContentType,
    IReadOnlyList<string> ContentEncoding
);
