using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// A refused request: what is wrong, in words for the caller, and its stable code. The family of the route writes it in the
/// shape its clients parse.
/// </summary>
/// <param name="Status">4xx or 5xx.</param>
/// <param name="Message">Public text: no id of another tenant, no secret, no internals.</param>
/// <param name="Code">Stable code; families that have always shown one get it from the status when it is null.</param>
internal sealed record Refusal(int Status, string Message, string? Code = null) : IResult
{
    /// <summary>Further members of the body, written as they are: name and a piece of JSON.</summary>
    public IReadOnlyList<(string Name, object? Value)> Extra { get; init; } = [];

    /// <summary>False: the client is told that a retry cannot help.</summary>
    public bool? ShouldRetry { get; init; }

    public int? RetryAfterSeconds { get; init; }

    public string? Challenge { get; init; }

    public string? Allow { get; init; }

    public static Refusal BadRequest(string message, string? code = null) => new(400, message, code);

    public static Refusal Unavailable(string message) => new(503, message, "unavailable") { RetryAfterSeconds = 1 };

    public async Task ExecuteAsync(HttpContext http)
    {
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }
        var response = http.Response;
        response.StatusCode = Status;
        if (ShouldRetry is { } retry) response.Headers["x-should-retry"] = retry ? "true" : "false";
        if (RetryAfterSeconds is { } seconds) response.Headers.RetryAfter = seconds.ToString();
        if (Challenge is not null) response.Headers.WWWAuthenticate = Challenge;
        if (Allow is not null) response.Headers.Allow = Allow;
        var family = ErrorFamily.Of(http);
        family.Prepare(http);
        // One shape for every family: the limits are the server's, not the feature's.
        if (Code is "rate_limited" or "too_many_failures") family = ProblemFamily.Instance;
        response.ContentType = family.ContentType;
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(256);
        await using (var json = new Utf8JsonWriter(buffer, Wire.WriterOptions))
        {
            json.WriteStartObject();
            family.WriteBody(json, this, http);
            json.WriteEndObject();
        }
        response.ContentLength = buffer.WrittenCount;
        if (!HttpMethods.IsHead(http.Request.Method)) await response.Body.WriteAsync(buffer.WrittenMemory);
    }
}

/// <summary>How one family of routes words its errors. Each contract's bodies are exact, so each family has one writer of them.</summary>
internal abstract class ErrorFamily
{
    public virtual string ContentType => "application/json; charset=utf-8";

    /// <summary>The record of its bodies, for the document.</summary>
    public abstract Type Shape { get; }

    /// <summary>The family of the matched route; problem details where no route matched.</summary>
    public static ErrorFamily Of(HttpContext http) => http.GetEndpoint()?.Metadata.GetMetadata<ErrorFamily>() ?? http.Features.Get<ErrorFamily>() ?? ProblemFamily.Instance;

    public abstract void WriteBody(Utf8JsonWriter json, Refusal refusal, HttpContext http);

    /// <summary>What a missing or unfit credential is told.</summary>
    public virtual string Unauthorized(UnfitCredential why) => "Unauthorized";

    /// <summary>What a caller without the scope is told.</summary>
    public abstract Refusal Forbidden(string requiredScope);

    /// <summary>Headers that every answer of the family carries.</summary>
    public virtual void Prepare(HttpContext http)
    {
    }

    /// <summary>
    /// Whether a code stands in the answers of families that have none otherwise: a client must be able to tell that it
    /// is its credential that is sent in a wrong way.
    /// </summary>
    protected static bool IsOfEveryFamily(string code) => code is "credential_in_url" or "ambiguous_credentials";

    protected static void WriteExtra(Utf8JsonWriter json, Refusal refusal)
    {
        foreach (var (name, value) in refusal.Extra)
        {
            json.WritePropertyName(name);
            switch (value)
            {
                case null: json.WriteNullValue(); break;
                case string text: json.WriteStringValue(text); break;
                case long number: json.WriteNumberValue(number); break;
                case int number: json.WriteNumberValue(number); break;
                case bool flag: json.WriteBooleanValue(flag); break;
                case IEnumerable<string> texts:
                    json.WriteStartArray();
                    foreach (var text in texts) json.WriteStringValue(text);
                    json.WriteEndArray();
                    break;
                case Action<Utf8JsonWriter> write: write(json); break;
                default: throw new NotSupportedException("A refusal carries text, numbers, flags, lists of text and what writes itself.");
            }
        }
    }
}

/// <summary>What was wrong with a credential, as far as the family's texts differ.</summary>
internal enum UnfitCredential
{
    Missing,
    BadKey,
    BadToken,
    EndedToken,
}

/// <summary>RFC 9457 problem details with a stable <c>code</c>: every route that has no older client.</summary>
internal sealed class ProblemFamily : ErrorFamily
{
    public static ProblemFamily Instance { get; } = new();

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
        new(403, $"The credential lacks the scope {requiredScope}.", "missing_scope") { Extra = [("requiredScopes", new[] { requiredScope })] };

    public static string CodeOf(int status) => status switch
    {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        409 => "conflict",
        413 => "body_too_large",
        415 => "unsupported_media_type",
        422 => "unprocessable",
        429 => "rate_limited",
        503 => "unavailable",
        _ => "internal_error",
    };
}

/// <summary>Problem details (RFC 9457). Some codes have further members.</summary>
[HasMoreMembers]
internal sealed record Problem(
    [Member("about:blank: the code says what it is.")] string Type,
    [Member("The phrase of the status.")] string Title,
    [Member("The HTTP status.")] long Status,
    [Member("What is wrong, for people.")] string Detail,
    [Member("The stable code.")] string Code);
