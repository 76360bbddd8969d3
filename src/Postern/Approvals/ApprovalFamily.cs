using System.Text.Json;
using Postern.Http;

namespace Postern.Approvals;

/// <summary>
/// The error format of approvals: <c>{error, message?}</c>. When there is a code, it is <c>error</c>, and the text is
/// <c>message</c>. Older texts stand in <c>error</c> alone.
/// </summary>
internal sealed class ApprovalFamily : ErrorFormat
{
    public static ApprovalFamily Instance { get; } = new();

    public override Type Shape => typeof(ApprovalError);

    public override IReadOnlyList<string> Prefixes { get; } =
    ["/api/v1/approvals", "/api/v1/executions", "/api/v1/webhooks"];

    public override void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http)
    {
        json.WriteString("error", refusal.Code ?? refusal.Message);
        if (refusal.Code is not null && refusal.Message.Length > 0)
            json.WriteString("message", refusal.Message);
        WriteExtra(json, refusal);
    }

    public override Refusal Forbidden(string requiredScope) =>
        new(403, $"The credential lacks the scope {requiredScope}.", "missing_scope")
        {
            Extra = [("requiredScopes", new[] { requiredScope })],
        };
}
