using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record ExecutionCallback(
    [Text("The worker's own session.", 1, 255)] string SessionId,
    [Text("The id of the session that the capture started.", 0, 255)] string CloudAgentSessionId,
    [Word("How the execution ended.", "completed", "failed", "interrupted")] string Status,
    [Text("The worker's own id.", 0, 1024)] string? ExecutionId,
    [Text("The worker's own id.", 0, 1024)] string? MessageId,
    [Text("Not looked at: one request ends once.", 0, 1024)] string? IdempotencyKey,
    [Text("What went wrong, for people.", 0, 65_536)] string? ErrorMessage,
    [Text("Not looked at.", 0, 1024)] string? LastSeenBranch,
    [Text("What the agent said last.", 0, 900_000)] string? LastAssistantMessageText,
    [Member("Why it failed: stage, code, message. One that is not valid is dropped.")] JsonElement? Failure
);
