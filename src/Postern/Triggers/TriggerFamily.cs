using System.Text.Json;
using Postern.Http;

namespace Postern.Triggers;

/// <summary>
/// The format of triggers' answers: <c>{"success":true,"data":…}</c>, <c>{"success":false,"error":"…"}</c>.
/// </summary>
internal sealed class TriggerFamily : ErrorFormat
{
    public static TriggerFamily Instance { get; } = new();

    public override Type Shape => typeof(TriggerError);

    public override IReadOnlyList<string> Prefixes { get; } = ["/api/triggers", "/inbound", "/api/callbacks"];

    public static Refusal NotFound { get; } = new(404, "Trigger not found", "not_found");

    public override void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http)
    {
        json.WriteBoolean("success", false);
        json.WriteString("error", refusal.Status == 500 ? "Internal server error" : refusal.Message);
        if (refusal.Code is { } code && IsOfEveryFamily(code))
            json.WriteString("code", code);
        WriteExtra(json, refusal);
    }

    public override Refusal Forbidden(string requiredScope) =>
        new(403, "Forbidden", "missing_scope") { Extra = [("requiredScopes", new[] { requiredScope })] };

    public static IResult Ok<T>(int status, T data) => Reply.Json(status, new Envelope<T>(true, data));
}
