using Postern.Http;

namespace Postern.Access;

/// <summary>
/// Answers every method for which a path has no door, before any credential is read, as HTTP requires.
/// </summary>
internal sealed class OtherMethods(string allow, string? relayedAs)
{
    /// <summary>The class of relayed doors that this path belongs to, or null.</summary>
    public string? RelayedAs => relayedAs;

    public Task AnswerAsync(HttpContext http, ErrorFormat family)
    {
        family.Prepare(http);
        if (HttpMethods.IsOptions(http.Request.Method))
        {
            http.Response.StatusCode = 204;
            http.Response.Headers.Allow = allow;
            return Task.CompletedTask;
        }
        return new Refusal(405, "Method not allowed", "method_not_allowed")
        {
            Allow = allow,
            ShouldRetry = false,
        }.ExecuteAsync(http);
    }
}
