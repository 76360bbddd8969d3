using System.Text.Json;

namespace Postern.Http;

/// <summary>
/// A refused request: what is wrong, in words for the caller, with a stable code. The route's error format writes it in
/// the shape that its clients parse.
/// </summary>
/// <param name="Status">4xx or 5xx.</param>
/// <param name="Message">Public text: no id of another tenant, no secret, no internals.</param>
/// <param name="Code">Stable code; families that have always shown one get it from the status when it is null.</param>
internal sealed record Refusal(int Status, string Message, string? Code = null) : IResult
{
    /// <summary>Further members of the body: name and a piece of JSON, written unchanged.</summary>
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
        if (ShouldRetry is { } retry)
            response.Headers["x-should-retry"] = retry ? "true" : "false";
        if (RetryAfterSeconds is { } seconds)
            response.Headers.RetryAfter = seconds.ToString();
        if (Challenge is not null)
            response.Headers.WWWAuthenticate = Challenge;
        if (Allow is not null)
            response.Headers.Allow = Allow;
        RefusalId.Write(http, Status);
        var family = ErrorFormat.Of(http);
        family.Prepare(http);
        if (await family.TryAnswerAsync(this, http))
            return;
        // One shape for every family, because the limits belong to the server and not to a feature.
        if (Code is "rate_limited" or "too_many_failures")
            family = ProblemFormat.Instance;
        response.ContentType = family.ContentType;
        var buffer = new System.Buffers.ArrayBufferWriter<byte>(256);
        await using (var json = new Utf8JsonWriter(buffer, Wire.WriterOptions))
        {
            json.WriteStartObject();
            family.WriteBody(json, this, http);
            json.WriteEndObject();
        }
        response.ContentLength = buffer.WrittenCount;
        if (!HttpMethods.IsHead(http.Request.Method))
            await response.Body.WriteAsync(buffer.WrittenMemory);
    }
}
