using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The route of orchestrators: status callbacks about a project's runs, opened only by its callback secret. Bodies are
/// read strictly. An unclear report is refused with the names of the fields, because a half-understood report would
/// move a run for no stated reason.
/// </summary>
internal sealed class CallbackRoutes(RunReports reports, Database database)
{
    private const int MaxBody = 1024 * 1024;

    /// <summary>
    /// How far in the future an instant may lie. Clocks differ, but one wrong report must not block a run's later ones.
    /// </summary>
    public const long MaxAhead = 5L * 60 * 1_000_000;

    public const string IsAhead = "must not be more than 5 minutes in the future";

    public void Map(Doors doors)
    {
        foreach (var prefix in (string[])["", "/api/v1"])
        {
            doors
                .Group(prefix + "/internal/jobs", CallbackFamily.Instance)
                .Post(
                    "/{run}/status",
                    Credentials.CallbackSecret | Credentials.CallbackSignature,
                    "runs of the secret's project",
                    Take
                )
                .Relayed(RelayClass.Callbacks)
                .WithSummary("Report a job's status")
                .Accepts<StatusCallback>()
                .Produces<ReplayedCallback>()
                .Produces(204, 401, 404)
                .Produces<TransitionRefused>(409)
                .Produces<OutOfOrderRefused>(409)
                .Produces<MismatchRefused>(409)
                .Produces<StaleRefused>(409)
                .Produces<ValidationRefused>(409)
                .Produces(413, 415);
        }
    }

    private async Task<IResult> Take(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        if (!HasJson(http))
            return new Refusal(415, "The body must be application/json.");
        if (!(await RequestBody.ReadAsync(http, MaxBody)).Try(out var body, out var tooLarge))
            return tooLarge;
        using (body)
        {
            if (!body.Parse().Try(out var json, out var invalid))
                return invalid.Status != 400
                    ? invalid
                    : Invalid([("body", invalid.Code == "empty_body" ? "must not be empty" : "is not valid JSON")]);
            using (json)
            {
                if (json.RootElement.ValueKind != JsonValueKind.Object)
                    return Invalid([("body", "must be a JSON object")]);
                var fields = new Fields(json.RootElement);
                var report = ReportOf(
                    fields.Read<StatusCallback>(),
                    fields,
                    new Actor(caller.Authority.Credential, caller.Authority.Actor),
                    database.Now
                );
                if (fields.Faults.Count > 0)
                    return Invalid(fields.Faults);
                if (
                    (http.Request.RouteValues["run"] as string) is not { Length: <= 128 } run
                    || run.Contains('\0', StringComparison.Ordinal)
                )
                    return CallbackFamily.NotFound;
                return Answer(
                    run,
                    report,
                    await database.WriteAsync(tx => reports.TakeAsync(tx, caller.Project, run, report))
                );
            }
        }
    }

    /// <summary>Returns the report of a body; it is meaningless when <paramref name="fields"/> has faults.</summary>
    private static Report ReportOf(StatusCallback said, Fields fields, Actor by, long now)
    {
        if (said.OccurredAt > now + MaxAhead)
            fields.Fault("occurred_at", IsAhead);
        foreach (var update in said.ArtifactUpdates?.EnumerateObject() ?? default)
            if (JsonText.NameOf(update) is not { Length: > 0 and <= 128 })
                fields.Fault("artifact_updates", "must have names of 1 to 128 characters");
        return new Report(said.Status, by, said.Attempt)
        {
            EventId = said.EventId,
            OccurredAt = said.OccurredAt,
            CorrelationId = said.CorrelationId,
            ActorType = said.ActorType,
            Artifacts = said.ArtifactUpdates,
            Failure = said.FailureCode is { } code ? new Failure(code, said.FailureMessage, said.FailedStage) : null,
            Digest = fields.Faults.Count > 0 ? null : DigestOf(said),
        };
    }

    private static byte[] DigestOf(StatusCallback said) =>
        ReportDigest.Of(
            ("status", said.Status),
            ("occurred_at", said.OccurredAt),
            ("actor_type", said.ActorType),
            ("artifact_updates", said.ArtifactUpdates),
            ("failure_code", said.FailureCode),
            ("failure_message", said.FailureMessage),
            ("failed_stage", said.FailedStage),
            ("attempt", said.Attempt)
        );

    private static IResult Answer(string run, Report report, ReportOutcome outcome) =>
        outcome switch
        {
            ReportOutcome.Applied => Reply.NoContent,
            ReportOutcome.Replayed r => Reply.Ok(
                new ReplayedCallback(
                    run,
                    report.EventId!,
                    true,
                    r.Run.Status,
                    r.Run.Marker is { } marker ? Wire.IsoMicroseconds(marker) : null
                )
            ),
            ReportOutcome.NoSuchRun => CallbackFamily.NotFound,
            ReportOutcome.Invalid r => Invalid([(r.Field, r.Problem)]),
            _ => Refused(outcome),
        };

    private static Refusal Refused(ReportOutcome outcome)
    {
        var (code, message) = RunReports.Explain(outcome);
        return new Refusal(409, message, code) { Extra = [("details", DetailsOf(outcome))] };
    }

    /// <summary>The details that a program needs to decide what to do next; the same at both routes.</summary>
    public static Action<Utf8JsonWriter> DetailsOf(ReportOutcome outcome) =>
        json =>
        {
            json.WriteStartObject();
            switch (outcome)
            {
                case ReportOutcome.Illegal r:
                    json.WriteString("current_status", r.Current);
                    json.WriteString("attempted_status", r.Attempted);
                    json.WriteStartArray("allowed_next_statuses");
                    foreach (var allowed in r.Allowed)
                        json.WriteStringValue(allowed);
                    json.WriteEndArray();
                    break;
                case ReportOutcome.OutOfOrder r:
                    json.WriteString("latest_applied_occurred_at", Wire.IsoMicroseconds(r.Latest));
                    json.WriteString("current_status", r.Current);
                    json.WriteString("attempted_status", r.Attempted);
                    break;
                case ReportOutcome.Mismatch r:
                    json.WriteString("event_id", r.EventId);
                    break;
                case ReportOutcome.Stale r:
                    json.WriteNumber("current_attempt", r.CurrentAttempt);
                    json.WriteNumber("reported_attempt", r.ReportedAttempt);
                    break;
                case ReportOutcome.Invalid r:
                    WriteErrors(json, [(r.Field, r.Problem)]);
                    break;
            }
            json.WriteEndObject();
        };

    private static Refusal Invalid(IReadOnlyList<(string Field, string Problem)> errors) =>
        new(409, string.Join("; ", errors.Select(e => $"{e.Field} {e.Problem}")), ReportCode.Validation)
        {
            Extra =
            [
                (
                    "details",
                    (Action<Utf8JsonWriter>)(
                        json =>
                        {
                            json.WriteStartObject();
                            WriteErrors(json, errors);
                            json.WriteEndObject();
                        }
                    )
                ),
            ],
        };

    private static void WriteErrors(Utf8JsonWriter json, IReadOnlyList<(string Field, string Problem)> errors)
    {
        json.WriteStartArray("errors");
        foreach (var (field, problem) in errors)
        {
            json.WriteStartObject();
            json.WriteString("field", field);
            json.WriteString("problem", problem);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static bool HasJson(HttpContext http)
    {
        var type = http.Request.ContentType.AsSpan();
        var end = type.IndexOf(';');
        var media = (end < 0 ? type : type[..end]).Trim();
        return media.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            || (
                media.StartsWith("application/", StringComparison.OrdinalIgnoreCase)
                && media.EndsWith("+json", StringComparison.OrdinalIgnoreCase)
            );
    }
}
