using Postern.Http;

namespace Postern.Relay.Server;

/// <summary>
/// The answer of a plane as its caller gets it. One origin serves many planes, so an answer must not run in a browser,
/// set a cookie, or look like a page of the relay.
/// </summary>
internal sealed class RelayedAnswer(StoredAnswer answer) : IResult
{
    private const string Sandbox = "sandbox; default-src 'none'";
    private const int LongestValue = 1024;

    private static readonly string[] Types = ["application/json", "application/problem+json", "text/plain"];
    private static readonly string[] Passed = ["Retry-After", "WWW-Authenticate", "Allow"];

    public async Task ExecuteAsync(HttpContext http)
    {
        var response = http.Response;
        response.Headers.ContentSecurityPolicy = Sandbox;
        if (answer.Status == 0)
        {
            await new Refusal(502, "The answer of the plane cannot be passed on", "bad_answer").ExecuteAsync(http);
            return;
        }
        response.StatusCode = answer.Status;
        foreach (var header in answer.Headers)
            Pass(response, header[0], header[1]);
        if (answer.Status is 204 or 205 or 304)
            return;
        response.ContentType = TypeOf(answer.Headers);
        response.ContentLength = answer.Body.Length;
        if (!HttpMethods.IsHead(http.Request.Method))
            await response.Body.WriteAsync(answer.Body);
    }

    /// <summary>The headers of an answer that are passed on.</summary>
    public static IReadOnlyList<string[]> Kept(IReadOnlyList<string[]> headers) =>
        [
            .. headers.Where(h =>
                h[0].Equals("Content-Type", StringComparison.OrdinalIgnoreCase)
                || Passed.Contains(h[0], StringComparer.OrdinalIgnoreCase)
            ),
        ];

    private static void Pass(HttpResponse response, string name, string value)
    {
        var at = Array.FindIndex(Passed, p => p.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (at >= 0 && IsSafe(value))
            response.Headers[Passed[at]] = value;
    }

    /// <summary>A content type that no browser shows as a page. Everything else is sent as bytes.</summary>
    private static string TypeOf(IReadOnlyList<string[]> headers)
    {
        var given = headers.FirstOrDefault(h => h[0].Equals("Content-Type", StringComparison.OrdinalIgnoreCase));
        var value = given?[1] ?? "";
        var type = value.Split(';')[0].Trim();
        return IsSafe(value) && Types.Contains(type, StringComparer.OrdinalIgnoreCase)
            ? value
            : "application/octet-stream";
    }

    private static bool IsSafe(string value) => value.Length <= LongestValue && Wire.IsVisible(value);
}
