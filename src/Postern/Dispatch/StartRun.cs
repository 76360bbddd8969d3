using Postern.Runs;

namespace Postern.Dispatch;

/// <summary>What a caller asked to start, checked. JSON members are kept as the text that came.</summary>
internal sealed record StartRun(
    string Agent,
    string Workflow,
    string? SessionId,
    byte[]? Input,
    string Tags,
    string? Metadata,
    string? IdempotencyKey,
    string? CallbackUrl,
    string? CallbackSecret,
    bool SecretWasMade,
    long? DeadlineSeconds,
    bool Start,
    byte[] Digest
);
