using System.Text.Json;
using Postern.Http;

namespace Postern.History;

/// <summary>The error format of history: one shape for each status, as its clients parse them.</summary>
internal sealed class HistoryFamily : ErrorFormat
{
    public static HistoryFamily Instance { get; } = new();

    public override Type Shape => typeof(HistoryError);

    public static Refusal NotFound(string keyAsSent) => new(404, "Session not found: " + keyAsSent);

    public override void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http)
    {
        if (refusal.Status is not (400 or 401))
            json.WriteBoolean("ok", false);
        json.WriteStartObject("error");
        switch (refusal.Status)
        {
            case 400:
                json.WriteString("message", refusal.Message);
                json.WriteString("type", Types[400]);
                WriteCode(json, refusal);
                break;
            case 401:
                json.WriteString("message", "Unauthorized");
                json.WriteString("type", Types[401]);
                break;
            case 403:
                json.WriteString("type", Types[403]);
                json.WriteString("message", refusal.Message);
                WriteMissingScope(json, refusal);
                break;
            default:
                json.WriteString(
                    "type",
                    Types.GetValueOrDefault(refusal.Status) ?? ProblemFormat.CodeOf(refusal.Status)
                );
                json.WriteString("message", refusal.Message);
                WriteCode(json, refusal);
                if (refusal.Status == 503)
                    json.WriteBoolean("retryable", true);
                break;
        }
        json.WriteEndObject();
    }

    private static readonly Dictionary<int, string> Types = new()
    {
        [400] = "invalid_request_error",
        [401] = "unauthorized",
        [403] = "forbidden",
        [404] = "not_found",
        [405] = "method_not_allowed",
        [409] = "conflict",
        [413] = "request_too_large",
        [503] = "unavailable",
    };

    private static void WriteCode(Utf8JsonWriter json, Refusal refusal)
    {
        if (refusal.Code is { } code && IsOfEveryFamily(code))
            json.WriteString("code", code);
    }

    private static void WriteMissingScope(Utf8JsonWriter json, Refusal refusal)
    {
        if (refusal.Extra is not [(_, string missing)])
            return;
        json.WriteStartObject("details");
        json.WriteString("code", "MISSING_SCOPE");
        json.WriteString("missingScope", missing);
        json.WriteStartArray("requiredScopes");
        json.WriteStringValue(missing);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    public override Refusal Forbidden(string requiredScope) => Missing(requiredScope);

    public static Refusal Missing(string scope) =>
        new(403, "missing scope: " + scope) { Extra = [("missingScope", scope)] };
}
