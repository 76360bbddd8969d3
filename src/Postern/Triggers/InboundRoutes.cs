using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Triggers;

/// <summary>
/// The public URLs of triggers. Each has its own authentication, over the raw bytes. The contract fixes the order of
/// the checks: method, type, size, trigger, signature, paused, repeat, filter, limits. A link preview or a health probe
/// starts no agent.
/// </summary>
internal sealed class InboundRoutes(
    TriggerStore triggers,
    CaptureStart start,
    Projects projects,
    CredentialReader credentials,
    SenderGate gate,
    TokenBuckets buckets,
    Database database
)
{
    public const int MaxBody = 262_144;
    private static readonly string[] Allowed = ["POST", "PUT", "PATCH", "DELETE"];
    private static readonly string[] RefusedTypes =
    [
        "multipart/",
        "image/",
        "audio/",
        "video/",
        "application/octet-stream",
        "application/pdf",
        "application/zip",
    ];

    public void Map(Doors doors)
    {
        foreach (var prefix in (string[])["/inbound", "/inbound/{project}"])
        {
            var group = doors.Group(prefix, TriggerFamily.Instance);
            foreach (var kind in (string[])["user", "org"])
                group
                    .Any(
                        $"/{kind}/{{owner}}/{{trigger}}",
                        Credentials.Signature | Credentials.Anyone,
                        "the trigger's own authentication, if it has one",
                        http => TakeAsync(http, kind, prefix.Length > "/inbound".Length)
                    )
                    .Relayed(RelayClass.Inbound)
                    .WithSummary("A trigger's public URL")
                    .MayTake<string>("*/*")
                    .Produces<Envelope<CapturedView>>()
                    .Produces<Envelope<PongView>>()
                    .Produces<ChallengeView>()
                    .Produces(401, 404, 405, 413, 415, 429);
        }
    }

    private async Task<IResult> TakeAsync(HttpContext http, string kind, bool namesProject)
    {
        var offset = namesProject ? 1 : 0;
        var project = namesProject ? RequestPath.Segment(http, 1) : await projects.DefaultAsync();
        var name = NameIn(http, kind, 2 + offset);
        var method = http.Request.Method;
        if (
            !Allowed.Contains(method, StringComparer.Ordinal)
            && (await FindAsync(project, name))?.Methods.Contains(method, StringComparer.Ordinal) != true
        )
            return new Refusal(405, "Method not allowed", "method_not_allowed") { Allow = string.Join(", ", Allowed) };
        var type = http.Request.ContentType ?? "";
        if (RefusedTypes.Any(t => type.StartsWith(t, StringComparison.OrdinalIgnoreCase)))
            return new Refusal(415, "Unsupported content type", "unsupported_media_type");
        if (!(await RequestBody.ReadAsync(http, MaxBody)).Try(out var body, out var refusal))
            return refusal.Status == 413 ? TooLarge : refusal;
        using (body)
        {
            // The trigger as it is now: authentication that was changed while the body was arriving no longer counts.
            return await FindAsync(project, name) is { Mode: Trigger.Webhook } trigger
                ? await VerifyAsync(http, trigger, body)
                : TriggerFamily.NotFound;
        }
    }

    /// <summary>Returns the trigger that a path names from a segment on, or null.</summary>
    private static TriggerName? NameIn(HttpContext http, string kind, int from) =>
        RequestPath.Segment(http, from) is { } segment
        && TriggerName.Decode(segment) is { } owner
        && RequestPath.Segment(http, from + 1) is { } id
            ? new TriggerName(kind, owner, id)
            : null;

    private async ValueTask<Trigger?> FindAsync(string? project, TriggerName? name) =>
        project is null || name is null ? null : await triggers.FindAsync(project, name);

    private async Task<IResult> VerifyAsync(HttpContext http, Trigger trigger, RequestBody body)
    {
        // For a relayed request, a trigger that no relay may pass requests to does not exist.
        if (Arrival.Of(http) is not null && triggers.Relayed.WhyNot(trigger) is not null)
            return TriggerFamily.NotFound;
        var rule = triggers.RuleOf(trigger);
        var verified = rule is null
            ? new Verified(new SignatureAnswer(true, null))
            : await gate.VerifyAsync(
                http,
                body.Length,
                rule.Secrets.Count + rule.Retired.Count,
                () => Verify(http, rule, body)
            );
        if (verified is not { Answer: var answer })
            return VerificationPlaces.Busy;
        if (!answer.IsValid)
            return gate.Refuse(
                http,
                answer.Fault,
                new Refusal(401, "Unauthorized", "unauthorized") { Challenge = "Signature realm=\"postern\"" },
                trigger.Audited
            );
        if (!trigger.IsActive)
            return gate.TurnAway(http, trigger.Audited, "paused", TriggerFamily.NotFound);
        if (gate.Slower(http, trigger.Project) is { } slower)
            return gate.TurnAway(http, trigger.Audited, "rate_limited", slower);
        return await TakeSignedAsync(http, trigger, body.Bytes.ToArray(), answer.Replay);
    }

    private async Task<IResult> TakeSignedAsync(HttpContext http, Trigger trigger, byte[] bytes, string? signed)
    {
        var headers = http.Request.Headers;
        var read = InboundBody.Read(bytes, http.Request.ContentType, headers.ContentEncoding, MaxBody);
        if (!read.Try(out var body, out var unreadable))
            return unreadable.Status == 413 ? TooLarge : unreadable;
        using var _ = body;
        if (body.IsUnreadableJson && trigger.ReadsFields)
            return Refusal.BadRequest(
                "body is no JSON, as its Content-Type says, and this trigger reads fields of it",
                "invalid_json"
            );
        if (AnswerToProbe(http, body.Json) is { } pong)
            return pong;
        var incoming = RequestOf(http, trigger, bytes);
        var delivery = DeliveryId.Of(headers, trigger, body.Json, signed);
        string? alsoKnownAs = null;
        if (Arrival.Of(http) is { } arrival)
        {
            // A relay could write any header, so the signed part is a name as well. When nothing names the request, the
            // relay's own id does.
            alsoKnownAs = signed;
            delivery ??= "envelope " + arrival.Envelope;
        }
        var passes = InboundFilter.Passes(trigger.Filter, headers, body.Json);
        // A repeat takes no place in the rate. A filtered request does, because it is stored.
        if (
            trigger.RateLimit is { } perMinute
            && (delivery is null || await start.FirstOfAsync(trigger, delivery, passes) is null)
            && TooMany(trigger, perMinute) is { } slower
        )
            return gate.TurnAway(http, trigger.Audited, "rate_limited_trigger", slower);
        return Answer(http, trigger, await start.TakeAsync(trigger, incoming, body, delivery, passes, alsoKnownAs));
    }

    private IResult Answer(HttpContext http, Trigger trigger, CaptureOutcome outcome) =>
        outcome switch
        {
            CaptureOutcome.Taken taken => TriggerFamily.Ok(
                200,
                new CapturedView(taken.Id, "Webhook captured successfully", null, null)
            ),
            CaptureOutcome.Duplicate first => TriggerFamily.Ok(200, new CapturedView(first.Id, null, true, null)),
            CaptureOutcome.FilteredOut filtered => TriggerFamily.Ok(
                200,
                new CapturedView(filtered.Id, null, null, true)
            ),
            _ => gate.TurnAway(http, trigger.Audited, "in_flight_limit", Full),
        };

    private Verified Verify(HttpContext http, SignatureRule rule, RequestBody body) =>
        new(Signatures.Verify(rule, http.Request.Headers, body.Bytes.Span, Arrival.InstantOf(http, database.Now)));

    private InboundRequest RequestOf(HttpContext http, Trigger trigger, byte[] bytes)
    {
        var given = http.Request.QueryString;
        var query = Redaction.OfQuery(given.HasValue ? given.Value![1..] : "");
        return new InboundRequest
        {
            Source = Capture.Webhook,
            Method = http.Request.Method,
            Path = http.Request.Path.Value ?? "",
            Query = query,
            QueryValues = InboundRequest.QueryOf(query),
            Headers = Redaction.Of(http.Request.Headers, trigger.AuthHeader),
            Body = bytes,
            ContentType = http.Request.ContentType,
            SourceIp = credentials.AddressOf(http),
            Signed = trigger.AuthScheme,
        };
    }

    private Refusal? TooMany(Trigger trigger, long perMinute) =>
        buckets.Take("trigger " + trigger.Uid, (int)perMinute, perMinute / 60.0) is { Allowed: false } wait
            ? new Refusal(429, "Too many requests", "rate_limited_trigger")
            {
                RetryAfterSeconds = Math.Max(1, (int)Math.Ceiling(wait.RetryAfter)),
            }
            : null;

    private static Refusal TooLarge => RequestBody.TooLarge with { Message = "Payload too large" };

    private sealed record Verified(SignatureAnswer Answer);

    public static Refusal Full { get; } =
        new(429, "Too many in-flight requests", "in_flight_limit") { RetryAfterSeconds = 5 };

    /// <summary>A provider's probe is answered, and nothing starts.</summary>
    private static IResult? AnswerToProbe(HttpContext http, JsonElement? body)
    {
        if (http.Request.Headers["X-GitHub-Event"] == "ping")
            return TriggerFamily.Ok(200, new PongView("pong"));
        if (
            body is not { ValueKind: JsonValueKind.Object } json
            || !json.TryGetProperty("type", out var type)
            || type.ValueKind != JsonValueKind.String
            || !type.ValueEquals("url_verification")
        )
            return null;
        return
            json.TryGetProperty("challenge", out var challenge)
            && challenge.ValueKind == JsonValueKind.String
            && JsonText.Of(challenge) is { Length: <= 1024 } text
            ? Reply.Ok(new ChallengeView(text))
            : null;
    }
}
