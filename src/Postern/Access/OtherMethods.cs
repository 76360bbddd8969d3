using Postern.Http;

namespace Postern.Access;

/// <summary>Answers every method that a path has no door for: before any credential, as HTTP orders it.</summary>
internal sealed class OtherMethods(string allow, string? relayedAs)
{
    /// <summary>The class of relayed doors of which a door of this path is; null when none is.</summary>
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
