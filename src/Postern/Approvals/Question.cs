namespace Postern.Approvals;

/// <summary>What is asked, checked. JSON members are kept as the text that came.</summary>
/// <param name="Id">Null: this server makes one, and serves the question itself.</param>
/// <param name="Digest">Of the whole request: by it a repeat without an id is known.</param>
internal sealed record Question(
    string? Id,
    string? Url,
    string? CallbackUrl,
    long ExpiresInMicroseconds,
    string Service,
    string? Title,
    string? Description,
    byte[]? Payload,
    string? PayloadHash,
    string OnReject,
    string? Options,
    byte[] Digest
);
