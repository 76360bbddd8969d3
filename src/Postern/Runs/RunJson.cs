using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// Writes a run, in the same form for every answer, list and callback. Input, output and artifacts are written with
/// their original bytes.
/// </summary>
internal static class RunJson
{
    /// <param name="json">Where a value is expected.</param>
    /// <param name="run">The run.</param>
    /// <param name="data">What of it is large (<see cref="RunData"/>); null in lists, which leave it out.</param>
    /// <param name="more">Further members.</param>
    public static void Write(
        Utf8JsonWriter json,
        Run run,
        IReadOnlyDictionary<string, byte[]>? data,
        Action<Utf8JsonWriter>? more
    )
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
        if (run.FailureCode is null)
            json.WriteNullValue();
        else
        {
            json.WriteStartObject();
            json.WriteString("code", run.FailureCode);
            json.WriteString("message", run.FailureMessage);
            json.WriteString("stage", run.FailedStage);
            json.WriteEndObject();
        }
        json.WritePropertyName("progress");
        if (run.ProgressMillionths is { } progress)
            json.WriteNumberValue(progress / 1_000_000m);
        else
            json.WriteNullValue();
        if (data is not null)
        {
            Raw(json, RunData.Input, data.GetValueOrDefault(RunData.Input));
            Raw(json, RunData.Output, data.GetValueOrDefault(RunData.Output));
            Raw(json, RunData.Artifacts, data.GetValueOrDefault(RunData.Artifacts) ?? "{}"u8.ToArray());
        }
        json.WritePropertyName("tags");
        json.WriteRawValue(run.Tags, skipInputValidation: true);
        json.WritePropertyName("metadata");
        if (run.Metadata is null)
            json.WriteNullValue();
        else
            json.WriteRawValue(run.Metadata, skipInputValidation: true);
        json.WritePropertyName("callback");
        if (run.CallbackUrl is null)
            json.WriteNullValue();
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
        using (var json = new Utf8JsonWriter(buffer, Wire.WriterOptions))
            Write(json, run, data, more);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Changes with every change of the run, and of the other things that are shown with it.</summary>
    public static string ETag(Run run, string? more)
    {
        var digest = more is null
            ? ""
            : "." + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(more)))[..16];
        return $"\"{run.Attempt}.{run.EventSeq}.{run.UpdatedAt}{digest}\"";
    }

    public static void Raw(Utf8JsonWriter json, string name, byte[]? value)
    {
        json.WritePropertyName(name);
        if (value is null)
            json.WriteNullValue();
        else
            json.WriteRawValue(value, skipInputValidation: true);
    }

    private static void Instant(Utf8JsonWriter json, string name, long? at) => json.WriteString(name, Wire.Iso(at));
}
