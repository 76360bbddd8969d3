using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

internal sealed record ExecutionCallback
{
    public const string Completed = "completed";
    public const string Interrupted = "interrupted";

    [Text("The worker's own session.", 1, 255)]
    public required string SessionId { get; init; }

    [Text("The id of the session that the capture started.", 0, 255)]
    public required string CloudAgentSessionId { get; init; }

    [Word("How the execution ended.", Completed, "failed", Interrupted)]
    public required string Status { get; init; }

    [Text("The worker's own id.", 0, 1024)]
    public string? ExecutionId { get; init; }

    [Text("The worker's own id.", 0, 1024)]
    public string? MessageId { get; init; }

    [Text("Not looked at: one request ends once.", 0, 1024)]
    public string? IdempotencyKey { get; init; }

    [Text("What went wrong, for people.", 0, 65_536, IsProse = true)]
    public string? ErrorMessage { get; init; }

    [Text("Not looked at.", 0, 1024)]
    public string? LastSeenBranch { get; init; }

    [Text("What the agent said last.", 0, 900_000, IsProse = true)]
    public string? LastAssistantMessageText { get; init; }

    [AnyJson("Why it failed: stage, code, message. One that is not valid is dropped.", IsRaw = true)]
    public JsonElement? Failure { get; init; }
}
