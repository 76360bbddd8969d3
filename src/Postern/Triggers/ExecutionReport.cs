using System.Text.Json;
using Postern.Http;
using Postern.Runs;

namespace Postern.Triggers;

/// <summary>
/// A worker's report of the end of an execution. It is read leniently: only the contract's fields are used.
/// </summary>
/// <param name="Said">The request.</param>
/// <param name="Failure">
/// Null where there is none, or one that does not validate: it is dropped and noted, never a refusal.
/// </param>
internal sealed record ExecutionReport(ExecutionCallback Said, Failure? Failure)
{
    public string CloudAgentSessionId => Said.CloudAgentSessionId;

    public bool Succeeded => Said.Status == ExecutionCallback.Completed;

    public bool IsInterrupted => Said.Status == ExecutionCallback.Interrupted;

    public string? LastAssistantMessageText => Said.LastAssistantMessageText is { Length: > 0 } text ? text : null;

    public bool FailureDropped => Said.Failure is not null && Failure is null;

    public string FailureMessage =>
        Failure?.Message
        ?? (Said.ErrorMessage is { Length: > 0 } error ? Wire.Cut(error, 4096) : null)
        ?? (IsInterrupted ? "The execution was interrupted." : "The execution failed.");

    /// <summary>Returns null when the body is no such report.</summary>
    public static ExecutionReport? Read(Fields fields)
    {
        var said = fields.Read<ExecutionCallback>();
        return fields.Faults.Count > 0 ? null : new ExecutionReport(said, ReadFailure(said.Failure));
    }

    private static Failure? ReadFailure(JsonElement? given)
    {
        if (given is not { ValueKind: JsonValueKind.Object } value)
            return null;
        var fields = new Fields(value);
        var failure = fields.Read<ExecutionFailure>();
        return fields.Faults.Count > 0
            ? null
            : new Failure(failure.Code ?? "execution_failed", failure.Message, failure.Stage);
    }
}
