using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Runs;

/// <summary>
/// The door of orchestrators: status callbacks about a project's runs, opened by its callback secret alone. Bodies are strict; what is unclear
/// is refused with the names of the fields, because a report that was half understood would move a run for a reason nobody gave.
/// </summary>
internal sealed class CallbackRoutes(RunReports reports, Database database)
{
    private const int MaxBody = 1024 * 1024;

    /// <summary>How far in the future an instant may lie: clocks differ, but one wrong report must not block a run's later ones.</summary>
    public const long MaxAhead = 5L * 60 * 1_000_000;

    public void Map(Doors doors)
    {
        foreach (var prefix in (string[])["", "/api/v1"])
        {
            doors.Group(prefix + "/internal/jobs", CallbackFamily.Instance).Post("/{run}/status", Opens.CallbackSecret, "runs of the secret's project", Take)
                .Says("Report a job's status").Takes<StatusCallback>().Gives<ReplayedCallback>().Gives(204, 401, 404)
                .Gives<TransitionRefused>(409).Gives<OutOfOrderRefused>(409).Gives<MismatchRefused>(409)
                .Gives<StaleRefused>(409)
                .Gives<ValidationRefused>(409).Gives(413, 415);
        }
    }

    private async Task<IResult> Take(HttpContext http, ProjectCaller caller)
    {
        caller.DecidedByHandler();
        if (!HasJson(http)) return new Refusal(415, "The body must be application/json.");
        var (body, tooLarge) = await RequestBody.ReadAsync(http, MaxBody);
        if (body is null) return tooLarge!;
        using (body)
        {
            var (json, invalid) = body.Parse();
            if (invalid is { Status: not 400 }) return invalid;
            if (json is null) return Invalid([("body", invalid!.Code == "empty_body" ? "must not be empty" : "is not valid JSON")]);
            using (json)
            {
                if (json.RootElement.ValueKind != JsonValueKind.Object) return Invalid([("body", "must be a JSON object")]);
                var fields = new Fields(json.RootElement);
                var report = Read(fields, new Doer(caller.Authority.Credential, caller.Authority.Actor), database.Now);
                if (fields.Faults.Count > 0) return Invalid(fields.Faults);
                if ((http.Request.RouteValues["run"] as string) is not { Length: <= 128 } run || run.Contains('\0', StringComparison.Ordinal)) return CallbackFamily.NotFound;
                return Answer(run, report, await database.WriteAsync(tx => reports.TakeAsync(tx, caller.Project, run, report)));
            }
        }
    }

    /// <summary>The report that a body holds; meaningless when <paramref name="fields"/> has faults.</summary>
    public static Report Read(Fields fields, Doer by, long now)
    {
        var eventId = fields.Text("event_id", 1, 255, required: true);
        var status = fields.Text("status", 1, 64, required: true);
        long? occurredAt = null;
        if (fields.Text("occurred_at", 1, 64, required: true) is { } text)
        {
            if (!Rfc3339.TryParse(text, out var instant)) fields.Fault("occurred_at", "must be an RFC 3339 instant with an offset");
            else if (instant > now + MaxAhead) fields.Fault("occurred_at", "must not be more than 5 minutes in the future");
            else occurredAt = instant;
        }
        var correlationId = fields.Text("correlation_id", 1, 255, required: true);
        var actorType = fields.Word("actor_type", ["orchestrator", "system"]);
        var artifacts = fields.ContentObject("artifact_updates");
        foreach (var update in artifacts?.EnumerateObject() ?? default)
            if (Fields.NameOf(update) is not { Length: > 0 and <= 128 }) fields.Fault("artifact_updates", "must have names of 1 to 128 characters");
        var code = fields.Text("failure_code", 1, 128);
        var message = fields.Prose("failure_message", 1, 4096);
        var stage = fields.Text("failed_stage", 1, 128);
        var attempt = fields.Integer("attempt", 1, int.MaxValue);
        fields.RefuseUnknown();
        return new Report(status ?? "", by, attempt)
        {
            EventId = eventId,
            OccurredAt = occurredAt,
            CorrelationId = correlationId,
            ActorType = actorType,
            Artifacts = artifacts,
            Failure = code is null ? null : new Failure(code, message, stage),
            Digest = fields.Faults.Count > 0 ? null : ReportDigest.Of(
                ("status", status), ("occurred_at", occurredAt), ("actor_type", actorType), ("artifact_updates", artifacts), ("failure_code", code), ("failure_message", message), ("failed_stage", stage), ("attempt", attempt)),
        };
    }

    private static IResult Answer(string run, Report report, ReportOutcome outcome) => outcome switch
    {
        ReportOutcome.Applied => Reply.NoContent,
        ReportOutcome.Replayed r => Reply.Ok(new ReplayedCallback(run, report.EventId!, true, r.Run.Status, r.Run.Marker is { } marker ? Wire.IsoMicroseconds(marker) : null)),
        ReportOutcome.NoSuchRun => CallbackFamily.NotFound,
        ReportOutcome.Invalid r => Invalid([(r.Field, r.Problem)]),
        _ => Refused(outcome),
    };

    private static Refusal Refused(ReportOutcome outcome)
    {
        var (code, words) = RunReports.Explain(outcome);
        return new Refusal(409, words, code) { Extra = [("details", DetailsOf(outcome))] };
    }

    /// <summary>What a program needs to decide what to do next; the same at both doors.</summary>
    public static Action<Utf8JsonWriter> DetailsOf(ReportOutcome outcome) => json =>
    {
        json.WriteStartObject();
        switch (outcome)
        {
            case ReportOutcome.Illegal r:
                json.WriteString("current_status", r.Current);
                json.WriteString("attempted_status", r.Attempted);
                json.WriteStartArray("allowed_next_statuses");
                foreach (var allowed in r.Allowed) json.WriteStringValue(allowed);
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
            Extra = [("details", (Action<Utf8JsonWriter>)(json =>
            {
                json.WriteStartObject();
                WriteErrors(json, errors);
                json.WriteEndObject();
            }))],
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
        return media.Equals("application/json", StringComparison.OrdinalIgnoreCase) || (media.StartsWith("application/", StringComparison.OrdinalIgnoreCase) && media.EndsWith("+json", StringComparison.OrdinalIgnoreCase));
    }
}

/// <summary>Instants as RFC 3339 spells them (https://www.rfc-editor.org/rfc/rfc3339): date, time, an offset; digits below a microsecond are cut.</summary>
internal static class Rfc3339
{
    public static bool TryParse(string text, out long microseconds)
    {
        microseconds = 0;
        var s = text.AsSpan();
        if (s.Length < 20 || s[4] != '-' || s[7] != '-' || s[10] is not ('T' or 't' or ' ') || s[13] != ':' || s[16] != ':') return false;
        if (!Digits(s[..4], out var year) || !Digits(s[5..7], out var month) || !Digits(s[8..10], out var day) || !Digits(s[11..13], out var hour) || !Digits(s[14..16], out var minute) || !Digits(s[17..19], out var second)) return false;
        var rest = s[19..];
        var fraction = 0L;
        if (rest[0] == '.')
        {
            var digits = 0;
            while (digits + 1 < rest.Length && char.IsAsciiDigit(rest[digits + 1])) digits++;
            if (digits == 0) return false;
            for (var i = 0; i < 6; i++) fraction = (fraction * 10) + (i < digits ? rest[i + 1] - '0' : 0);
            rest = rest[(digits + 1)..];
        }
        if (!Offset(rest, out var offsetMinutes)) return false;
        // A leap second is the first of the next minute.
        var leap = second == 60;
        if (year is < 1 or > 9998 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 60) return false;
        var at = new DateTimeOffset(year, month, day, hour, minute, leap ? 59 : second, TimeSpan.Zero).AddSeconds(leap ? 1 : 0);
        microseconds = Wire.Microseconds(at) + fraction - (offsetMinutes * 60_000_000L);
        return true;
    }

    private static bool Offset(ReadOnlySpan<char> text, out int minutes)
    {
        minutes = 0;
        if (text is "Z" or "z") return true;
        if (text.Length != 6 || text[0] is not ('+' or '-') || text[3] != ':' || !Digits(text[1..3], out var h) || !Digits(text[4..6], out var m) || h > 23 || m > 59) return false;
        minutes = ((h * 60) + m) * (text[0] == '-' ? -1 : 1);
        return true;
    }

    private static bool Digits(ReadOnlySpan<char> text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}

[Strict]
internal sealed record StatusCallback(
    [Text("The same id again is the same report.", 1, 255)]
    [property: JsonPropertyName("event_id")]
    string EventId,
    [Text("The state of the run's workflow that it moves to.", 1, 64)] string Status,
    [At("When it happened: RFC 3339 with an offset.")]
    [property: JsonPropertyName("occurred_at")]
    string OccurredAt,
    [Text("An id of the orchestrator's, kept in the timeline.", 1, 255)]
    [property: JsonPropertyName("correlation_id")]
    string CorrelationId,
    [Word("Who reports.", "orchestrator", "system")]
    [property: JsonPropertyName("actor_type")]
    string? ActorType,
    [Chosen("Artifacts by their names, added to those there are.")]
    [property: JsonPropertyName("artifact_updates")]
    JsonElement? ArtifactUpdates,
    [Text("A stable code of why it failed.", 1, 128)]
    [property: JsonPropertyName("failure_code")]
    string? FailureCode,
    [Text("What went wrong, for people.", 1, 4096)]
    [property: JsonPropertyName("failure_message")]
    string? FailureMessage,
    [Text("The stage that failed.", 1, 128)]
    [property: JsonPropertyName("failed_stage")]
    string? FailedStage,
    [Whole("The attempt that the report is of.", 1, int.MaxValue)] long? Attempt);
