using System.Text.Json;
using Postern.Http;
using Postern.Runs;

namespace Postern.Triggers;

/// <summary>
/// What a worker says at the end of an execution, read leniently: the contract's fields, and nothing else is looked at.
/// </summary>
/// <param name="Failure">
/// Null where there is none, or one that does not validate: it is dropped and noted, never a refusal.
/// </param>
internal sealed record ExecutionReport(
    string SessionId,
    string CloudAgentSessionId,
    string Status,
    string? ErrorMessage,
    string? LastAssistantMessageText,
    Failure? Failure,
    bool FailureDropped
)
{
    public const string Completed = "completed";

    public bool Succeeded => Status == Completed;

    public string Words =>
        Failure?.Message
        ?? ErrorMessage
        ?? (Status == "interrupted" ? "The execution was interrupted." : "The execution failed.");

    /// <summary>Null: the body is no such report.</summary>
    public static ExecutionReport? Read(Fields fields)
    {
        var (session, cloud) = (
            fields.Text("sessionId", 1, 255, required: true),
            fields.Text("cloudAgentSessionId", 0, 255, required: true)
        );
        var status = fields.Word("status", [Completed, "failed", "interrupted"], required: true);
        foreach (var name in (string[])["executionId", "messageId", "idempotencyKey", "lastSeenBranch"])
            fields.Text(name, 0, 1024);
        var error = fields.Prose("errorMessage", 0, 65_536);
        var text = fields.Prose("lastAssistantMessageText", 0, 900_000);
        var (failure, dropped) = ReadFailure(fields.Any("failure"));
        return fields.Faults.Count > 0
            ? null
            : new ExecutionReport(
                session!,
                cloud!,
                status!,
                string.IsNullOrEmpty(error) ? null : Wire.Cut(error, 4096),
                string.IsNullOrEmpty(text) ? null : text,
                failure,
                dropped
            );
    }

    private static (Failure? Failure, bool Dropped) ReadFailure(JsonElement? given)
    {
        if (given is not { } value)
            return (null, false);
        if (value.ValueKind != JsonValueKind.Object)
            return (null, true);
        var fields = new Fields(value);
        var (stage, code, message) = (
            fields.Text("stage", 1, 128),
            fields.Text("code", 1, 128),
            fields.Prose("message", 1, 4096)
        );
        fields.Text("subtype", 1, 128);
        fields.Whole("attempts", 0, 1_000_000);
        return fields.Faults.Count > 0
            ? (null, true)
            : (new Failure(code ?? "execution_failed", message, stage), false);
    }
}
