using System.Buffers;
using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>A run as it goes out, the same in every answer, list and callback. Input, output and artifacts are passed on as the bytes that came.</summary>
internal static class RunJson
{
    /// <param name="json">Where a value is expected.</param>
    /// <param name="run">The run.</param>
    /// <param name="data">What of it is large (<see cref="RunData"/>); null in lists, which leave it out.</param>
    /// <param name="more">Further members.</param>
    public static void Write(Utf8JsonWriter json, Run run, IReadOnlyDictionary<string, byte[]>? data, Action<Utf8JsonWriter>? more)
    {
        json.WriteStartObject();
        json.WriteString("id", run.Id);
        json.WriteString("agent", run.Agent);
        json.WriteString("workflow", run.Workflow);
        json.WriteNumber("workflowVersion", run.WorkflowVersion);
        json.WriteString("status", run.Status);
        json.WriteString("phase", run.Phase);
        json.WriteNumber("attempt", run.Attempt);
        json.WriteString("sessionId", run.Session);
        json.WriteString("previousRunId", run.PreviousRun);
        json.WriteString("reason", run.Reason);
        json.WriteString("approvalRequestId", run.Approval);
        json.WritePropertyName("failure");
        if (run.FailureCode is null) json.WriteNullValue();
        else
        {
            json.WriteStartObject();
            json.WriteString("code", run.FailureCode);
            json.WriteString("message", run.FailureMessage);
            json.WriteString("stage", run.FailedStage);
            json.WriteEndObject();
        }
        json.WritePropertyName("progress");
        if (run.ProgressMillionths is { } progress) json.WriteNumberValue(progress / 1_000_000m);
        else json.WriteNullValue();
        if (data is not null)
        {
            Raw(json, RunData.Input, data.GetValueOrDefault(RunData.Input));
            Raw(json, RunData.Output, data.GetValueOrDefault(RunData.Output));
            Raw(json, RunData.Artifacts, data.GetValueOrDefault(RunData.Artifacts) ?? "{}"u8.ToArray());
        }
        json.WritePropertyName("tags");
        json.WriteRawValue(run.Tags, skipInputValidation: true);
        json.WritePropertyName("metadata");
        if (run.Metadata is null) json.WriteNullValue();
        else json.WriteRawValue(run.Metadata, skipInputValidation: true);
        json.WritePropertyName("callback");
        if (run.CallbackUrl is null) json.WriteNullValue();
        else
        {
            json.WriteStartObject();
            json.WriteString("url", run.CallbackUrl);
            json.WriteString("outcome", run.CallbackOutcome ?? (run.IsEnded ? "pending" : null));
            json.WriteEndObject();
        }
        Instant(json, "createdAt", run.CreatedAt);
        Instant(json, "startedAt", run.StartedAt);
        Instant(json, "updatedAt", run.UpdatedAt);
        Instant(json, "endedAt", run.EndedAt);
        Instant(json, "deadlineAt", run.IsEnded ? null : run.DeadlineAt);
        json.WriteString("latestAppliedOccurredAt", run.Marker is { } marker ? Wire.IsoMicroseconds(marker) : null);
        more?.Invoke(json);
        json.WriteEndObject();
    }

    public static byte[] Render(Run run, IReadOnlyDictionary<string, byte[]>? data, Action<Utf8JsonWriter>? more = null)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(buffer, Wire.WriterOptions)) Write(json, run, data, more);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>It changes with every change of the run.</summary>
    public static string ETag(Run run) => $"\"{run.Attempt}.{run.EventSeq}.{run.UpdatedAt}\"";

    public static void Raw(Utf8JsonWriter json, string name, byte[]? value)
    {
        json.WritePropertyName(name);
        if (value is null) json.WriteNullValue();
        else json.WriteRawValue(value, skipInputValidation: true);
    }

    private static void Instant(Utf8JsonWriter json, string name, long? at) => json.WriteString(name, Wire.Iso(at));
}

/// <summary>The shape of a run, for the document.</summary>
internal sealed record RunView(
    [Member("The run's id.")] string Id,
    [Member("The slug of the agent that does the work.")] string Agent,
    [Member("The workflow that the run goes along.")] string Workflow,
    [Member("The version of the workflow; 0 is built in.")] long WorkflowVersion,
    [Member("The state of its workflow.")] string Status,
    [Word(
        "What the state means.",
        Runs.Phase.Queued, Runs.Phase.Running, Runs.Phase.Waiting, Runs.Phase.Paused,
        Runs.Phase.Succeeded, Runs.Phase.Failed, Runs.Phase.Cancelled, Runs.Phase.TimedOut)]
    string Phase,
    [Member("The attempt that the run is at, from 1.")] long Attempt,
    [Member("The id of the session that the run works in.")] string? SessionId,
    [Member("The run of the session before this one.")] string? PreviousRunId,
    [Member("Why the run is as it is, for people.")] string? Reason,
    [Member("The question that the run waits for.")] string? ApprovalRequestId,
    [Member("Why the run failed.")] Failure? Failure,
    [Member("How much is done, from 0 to 1.")] decimal? Progress,
    [Member("What the agent was given. Not in lists.", MayBeAbsent = true)] JsonElement? Input,
    [Member("What came of it; null before. Not in lists.", MayBeAbsent = true)] JsonElement? Output,
    [Chosen("The artifacts by their names. Not in lists.", MayBeAbsent = true)] JsonElement? Artifacts,
    [Member("Words to find the run by.")] IReadOnlyList<string> Tags,
    [Chosen("The JSON object that is kept with the run.")] JsonElement? Metadata,
    [Member("Where the end of the run is told.")] RunCallbackView? Callback,
    [At("When the run was made.")] string CreatedAt,
    [At("When its first attempt began.")] string? StartedAt,
    [At("When it changed last.")] string UpdatedAt,
    [At("When it ended.")] string? EndedAt,
    [At("When its attempt is ended, unless it ends before.")] string? DeadlineAt,
    [At("The newest instant that a report gave.")] string? LatestAppliedOccurredAt,
    [Member("The attempts before this one, where there are any. Not in lists.", MayBeAbsent = true)]
    IReadOnlyList<RunAttempt>? Attempts);

/// <param name="Outcome">null while the run lives, then <c>pending</c>, <c>delivered</c>, or <c>failed: …</c>.</param>
/// <param name="Secret">In the answer that made it, once.</param>
internal sealed record RunCallbackView(
    [Member("The URL that is called when the run has ended.")] string Url,
    [Member("Null while the run lives, then pending, delivered, or failed: and why.")] string? Outcome,
    [Member("What signs the call. In the answer that made the run, once.", MayBeAbsent = true)] string? Secret);
