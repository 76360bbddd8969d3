using System.Text.Json;
using Postern.Http;

namespace Postern.History;

/// <summary>How history words its errors: one shape a status, as its clients parse them.</summary>
internal sealed class HistoryFamily : ErrorFamily
{
    public static HistoryFamily Instance { get; } = new();

    public override Type Shape => typeof(HistoryError);

    public static Refusal NotFound(string keyAsSent) => new(404, "Session not found: " + keyAsSent);

    public override void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http)
    {
        if (refusal.Status is not (400 or 401)) json.WriteBoolean("ok", false);
        json.WriteStartObject("error");
        switch (refusal.Status)
        {
            case 401:
                json.WriteString("message", "Unauthorized");
                json.WriteString("type", "unauthorized");
                break;
            case 403:
                json.WriteString("type", "forbidden");
                json.WriteString("message", refusal.Message);
                if (refusal.Extra is [(_, string missing)])
                {
                    json.WriteStartObject("details");
                    json.WriteString("code", "MISSING_SCOPE");
                    json.WriteString("missingScope", missing);
                    json.WriteStartArray("requiredScopes");
                    json.WriteStringValue(missing);
                    json.WriteEndArray();
                    json.WriteEndObject();
                }
                break;
            default:
                if (refusal.Status == 400) json.WriteString("message", refusal.Message);
                json.WriteString("type", refusal.Status switch
                {
                    400 => "invalid_request_error",
                    404 => "not_found",
                    405 => "method_not_allowed",
                    409 => "conflict",
                    413 => "request_too_large",
                    503 => "unavailable",
                    _ => "internal_error",
                });
                if (refusal.Status != 400) json.WriteString("message", refusal.Message);
                if (refusal.Code is { } code && IsOfEveryFamily(code)) json.WriteString("code", code);
                if (refusal.Status == 503) json.WriteBoolean("retryable", true);
                break;
        }
        json.WriteEndObject();
    }

    public override Refusal Forbidden(string requiredScope) => Missing(requiredScope);

    public static Refusal Missing(string scope) => new(403, "missing scope: " + scope) { Extra = [("missingScope", scope)] };
}

/// <summary>A refused request of a history.</summary>
internal sealed record HistoryError(
    [Member("False. Left out with 400 and 401.", MayBeAbsent = true)] bool? Ok,
    [Member("What is wrong.")] HistoryFault Error);

internal sealed record HistoryFault(
    [Member("What is wrong, for people.")] string Message,
    [Member("What kind of fault it is.")] string Type,
    [Member("A stable code, where it is the credential that is sent in a wrong way.", MayBeAbsent = true)]
    string? Code,
    [Member("True: the same request may succeed later.", MayBeAbsent = true)] bool? Retryable,
    [Member("The scope that is missing.", MayBeAbsent = true)] HistoryMissing? Details);

internal sealed record HistoryMissing(
    [Member("MISSING_SCOPE.")] string Code,
    [Member("The scope that is missing.")] string MissingScope,
    [Member("The same, as a list.")] IReadOnlyList<string> RequiredScopes);
