using System.Text.Json;

namespace Postern.Http;

/// <summary>Problem details (RFC 9457) with a stable <c>code</c>, for every route without older clients.</summary>
internal sealed class ProblemFormat : ErrorFormat
{
    public static ProblemFormat Instance { get; } = new();

    public override string ContentType => "application/problem+json";

    public override Type Shape => typeof(Problem);

    public override void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http)
    {
        var code = refusal.Code ?? CodeOf(refusal.Status);
        json.WriteString("type", "about:blank");
        json.WriteString("title", Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(refusal.Status));
        json.WriteNumber("status", refusal.Status);
        json.WriteString("detail", refusal.Message);
        json.WriteString("code", code);
        WriteExtra(json, refusal);
    }

    public override Refusal Forbidden(string requiredScope) =>
        new(403, $"The credential lacks the scope {requiredScope}.", "missing_scope")
        {
            Extra = [("requiredScopes", new[] { requiredScope })],
        };

    private static readonly Dictionary<int, string> Codes = new()
    {
        [400] = "bad_request",
        [401] = "unauthorized",
        [403] = "forbidden",
        [404] = "not_found",
        [405] = "method_not_allowed",
        [408] = "request_timeout",
        [409] = "conflict",
        [413] = "body_too_large",
        [415] = "unsupported_media_type",
        [422] = "unprocessable",
        [429] = "rate_limited",
        [503] = "unavailable",
    };

    public static string CodeOf(int status) =>
        Codes.GetValueOrDefault(status, status < 500 ? "bad_request" : "internal_error");
}
