using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>
/// The error format of the status callback: <c>{code, message, details?}</c>, as orchestrators parse it.
/// </summary>
internal sealed class CallbackFamily : ErrorFormat
{
    public static CallbackFamily Instance { get; } = new();

    public override Type Shape => typeof(CallbackError);

    /// <summary>A missing run and one of another project get the same bytes.</summary>
    public static Refusal NotFound { get; } = new(404, "Resource not found", "RESOURCE_NOT_FOUND");

    public override void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http)
    {
        json.WriteString(
            "code",
            refusal.Status switch
            {
                401 => "UNAUTHORIZED",
                404 => "RESOURCE_NOT_FOUND",
                413 => "PAYLOAD_TOO_LARGE",
                415 => "UNSUPPORTED_MEDIA_TYPE",
                _ => (refusal.Code ?? ProblemFormat.CodeOf(refusal.Status)).ToUpperInvariant(),
            }
        );
        json.WriteString("message", refusal.Status == 404 ? NotFound.Message : refusal.Message);
        WriteExtra(json, refusal);
    }

    public override string Unauthorized(UnfitCredential why) => "A valid X-Callback-Secret is required.";

    public override Refusal Forbidden(string requiredScope) => new(403, "Forbidden", "FORBIDDEN");
}
