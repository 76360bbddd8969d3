using System.Text.Json;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>
/// The error format of sessions (<c>{error, code?}</c>), with the CORS headers of every answer: clients are browsers on
/// any origin, and hold a token, never a cookie.
/// </summary>
internal sealed class SessionFamily : ErrorFormat
{
    private const string Exposed =
        "x-session-settled, x-stream-version, x-should-retry, retry-after, x-last-chunk-index, x-ratelimit-limit, "
        + "x-ratelimit-remaining, x-ratelimit-reset";
    private const string Allowed = """
        authorization, content-type, x-api-key, x-part-id, last-event-id, timeout-seconds, x-peek-settled,
        x-trigger-source, x-trigger-stream-start,
        x-trigger-branch, x-trigger-client, x-trigger-client-version, x-trigger-engine-version,
        x-trigger-realtime-streams-version, x-trigger-request-idempotency-key,
        x-trigger-api-version, traceparent, tracestate
        """;

    private static readonly string AllowedHeaders = Allowed.ReplaceLineEndings(" ");

    public static SessionFamily Instance { get; } = new();

    public override Type Shape => typeof(SessionError);

    public static Refusal NotFound { get; } = new(404, "Session not found") { ShouldRetry = false };

    public override void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http)
    {
        json.WriteString("error", refusal.Message);
        if (refusal.Code is { } code && ShowsCode(refusal))
            json.WriteString("code", code);
        WriteExtra(json, refusal);
    }

    public override string Unauthorized(UnfitCredential why) =>
        why switch
        {
            UnfitCredential.Missing => "Invalid or Missing API key",
            UnfitCredential.BadKey => "Invalid API key",
            UnfitCredential.BadToken => "Invalid Public Access Token",
            _ => "Public Access Token is invalid",
        };

    public override Refusal Forbidden(string requiredScope) =>
        new(403, "Unauthorized", "unauthorized")
        {
            ShouldRetry = false,
            Extra = [("param", "access_token"), ("type", "authorization"), ("requiredScopes", new[] { requiredScope })],
        };

    public override void Prepare(HttpContext http)
    {
        var headers = http.Response.Headers;
        headers.AccessControlAllowOrigin = "*";
        headers.AccessControlExposeHeaders = Exposed;
        if (!HttpMethods.IsOptions(http.Request.Method))
            return;
        headers.AccessControlAllowMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
        headers.AccessControlAllowHeaders = AllowedHeaders;
        headers.AccessControlMaxAge = "86400";
    }

    /// <summary>Texts that old clients know have no code; texts that this server added have one.</summary>
    private static bool ShowsCode(Refusal refusal) =>
        refusal.Status is not (401 or 404 or 405 or 413 or 500)
        && refusal.Code is not ("invalid_json" or "empty_body" or "invalid_body");
}
