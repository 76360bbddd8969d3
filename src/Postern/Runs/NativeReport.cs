using System.Text;
using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>The body of <c>POST /api/v1/runs/{run}/status</c>: the callback's report in this family's words.</summary>
internal static class NativeReport
{
    /// <param name="fields">The body; faults are left in it.</param>
    /// <param name="by">Who reports.</param>
    /// <param name="now">Microseconds.</param>
    /// <param name="ownAttempt">The attempt that the credential is of, if it is of one.</param>
    public static Report Read(Fields fields, Actor by, long now, long? ownAttempt)
    {
        var status = fields.Text("status", 1, 64, required: true);
        var eventId = fields.Text("eventId", 1, 255);
        long? occurredAt = null;
        if (fields.Text("occurredAt", 1, 64) is { } text)
        {
            if (!Rfc3339.TryParse(text, out var instant))
                fields.Fault("occurredAt", "must be an RFC 3339 instant with an offset");
            else if (instant > now + CallbackRoutes.MaxAhead)
                fields.Fault("occurredAt", "must not be more than 5 minutes in the future");
            else
                occurredAt = instant;
        }
        var output = fields.Content("output");
        var body = output is { } value ? Encoding.UTF8.GetBytes(value.GetRawText()) : null;
        if (body?.Length > RunReports.MaxOutput)
            fields.Fault("output", $"must have at most {RunReports.MaxOutput} bytes");
        var failure = ReadFailure(fields);
        long? progress = null;
        if (fields.Any("progress") is { } share)
        {
            if (
                share.ValueKind == JsonValueKind.Number
                && share.TryGetDecimal(out var number)
                && number is >= 0 and <= 1
            )
                progress = (long)(number * 1_000_000);
            else
                fields.Fault("progress", "must be a number from 0 to 1");
        }
        var artifacts = fields.ContentObject("artifacts");
        var attempt = fields.Integer("attempt", 1, int.MaxValue);
        if (ownAttempt is { } own && attempt is { } said && own != said)
            fields.Fault("attempt", "is not the attempt of this token");
        fields.RefuseUnknown();
        return new Report(status ?? "", by, ownAttempt ?? attempt)
        {
            OfItsWorker = ownAttempt is not null,
            EventId = eventId,
            OccurredAt = occurredAt,
            Output = body,
            Failure = failure,
            ProgressMillionths = progress,
            Artifacts = artifacts,
            Digest =
                fields.Faults.Count > 0 || eventId is null
                    ? null
                    : ReportDigest.Of(
                        ("status", status),
                        ("occurredAt", occurredAt),
                        ("output", output),
                        ("failureCode", failure?.Code),
                        ("failureMessage", failure?.Message),
                        ("failedStage", failure?.Stage),
                        ("progress", progress),
                        ("artifacts", artifacts),
                        ("attempt", attempt)
                    ),
        };
    }

    public static Refusal Refused(ReportOutcome outcome)
    {
        var (code, words) = RunReports.Explain(outcome);
        return new Refusal(409, words, code) { Extra = [("details", CallbackRoutes.DetailsOf(outcome))] };
    }

    /// <summary>What this body calls a field of the callback's.</summary>
    public static string FieldOf(string field) =>
        field switch
        {
            "failure_code" => "failure.code",
            "artifact_updates" => "artifacts",
            _ => field,
        };

    private static Failure? ReadFailure(Fields fields)
    {
        if (fields.Object("failure") is not { } given)
            return null;
        var failure = new Fields(given);
        var (code, message, stage) = (
            failure.Text("code", 1, 128, required: true),
            failure.Prose("message", 1, 4096),
            failure.Text("stage", 1, 128)
        );
        failure.RefuseUnknown();
        foreach (var (field, problem) in failure.Faults)
            fields.Fault("failure." + field, problem);
        return new Failure(code ?? "", message, stage);
    }
}
