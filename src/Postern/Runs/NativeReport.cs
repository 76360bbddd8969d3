using System.Text;
using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// Reads the body of <c>POST /api/v1/runs/{run}/status</c>: the report of the callback, with the field names of this
/// family.
/// </summary>
internal static class NativeReport
{
    /// <param name="said">The body.</param>
    /// <param name="fields">Where its faults are left.</param>
    /// <param name="by">Who reports.</param>
    /// <param name="now">Microseconds.</param>
    /// <param name="ownAttempt">The attempt that the credential is of, if it is of one.</param>
    public static Report Of(ReportStatus said, Fields fields, Actor by, long now, long? ownAttempt)
    {
        if (said.OccurredAt > now + CallbackRoutes.MaxAhead)
            fields.Fault("occurredAt", CallbackRoutes.IsAhead);
        if (ownAttempt is { } own && said.Attempt is { } attempt && own != attempt)
            fields.Fault("attempt", "is not the attempt of this token");
        return new Report(said.Status, by, ownAttempt ?? said.Attempt)
        {
            OfItsWorker = ownAttempt is not null,
            EventId = said.EventId,
            OccurredAt = said.OccurredAt,
            Output = said.Output is { } output ? Encoding.UTF8.GetBytes(output.GetRawText()) : null,
            Failure = said.Failure is { } failure ? new Failure(failure.Code, failure.Message, failure.Stage) : null,
            ProgressMillionths = MillionthsOf(said.Progress),
            Artifacts = said.Artifacts,
            Digest = fields.Faults.Count > 0 || said.EventId is null ? null : DigestOf(said),
        };
    }

    private static long? MillionthsOf(decimal? share) => (long?)(share * 1_000_000);

    private static byte[] DigestOf(ReportStatus said) =>
        ReportDigest.Of(
            ("status", said.Status),
            ("occurredAt", said.OccurredAt),
            ("output", said.Output),
            ("failureCode", said.Failure?.Code),
            ("failureMessage", said.Failure?.Message),
            ("failedStage", said.Failure?.Stage),
            ("progress", MillionthsOf(said.Progress)),
            ("artifacts", said.Artifacts),
            ("attempt", said.Attempt)
        );

    public static Refusal Refused(ReportOutcome outcome)
    {
        var (code, message) = RunReports.Explain(outcome);
        return new Refusal(409, message, code) { Extra = [("details", CallbackRoutes.DetailsOf(outcome))] };
    }

    /// <summary>Returns this body's name for a field of the callback.</summary>
    public static string FieldOf(string field) =>
        field switch
        {
            "failure_code" => "failure.code",
            "artifact_updates" => "artifacts",
            _ => field,
        };
}
