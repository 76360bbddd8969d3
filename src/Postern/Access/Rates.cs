using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Access;

/// <summary>
/// Limits the rate of callers. A token's own bucket comes first, and its project pays only for requests that pass it.
/// So a token in a visitor's browser cannot use up the project's budget. Callbacks and signed doors have a separate
/// bucket in each project.
/// </summary>
internal sealed class Rates(TokenBuckets buckets, Database database, PosternOptions options)
{
    /// <summary>Returns null when the request may pass. The headers of the answer show the nearest limit.</summary>
    public Refusal? OfCaller(HttpContext http, ProjectCaller caller)
    {
        if (caller.Authority.Credential is "callback_secret" or "callback_token")
            return OfCallback(http, caller.Project);
        var limits = options.RateLimits;
        var (burst, perSecond) = caller.Authority.OwnRate ?? (limits.TokenBurst, limits.TokenPerSecond);
        var own = caller.Authority.Bucket is { } bucket ? buckets.Take(bucket, burst, perSecond) : default;
        if (own is { Limit: > 0, Allowed: false })
            return Slower(http, own);
        var project = buckets.Take("project " + caller.Project, limits.ProjectBurst, limits.ProjectPerSecond);
        return Slower(http, own.Limit > 0 && project.Allowed ? own : project);
    }

    /// <summary>For callbacks, and for doors whose handler has verified a signature.</summary>
    public Refusal? OfCallback(HttpContext http, string project) =>
        Slower(
            http,
            buckets.Take("callbacks " + project, options.RateLimits.CallbackBurst, options.RateLimits.CallbackPerSecond)
        );

    private Refusal? Slower(HttpContext http, BucketAnswer answer)
    {
        if (answer.Limit > 0)
        {
            http.Response.Headers["x-ratelimit-limit"] = answer.Limit.ToString();
            http.Response.Headers["x-ratelimit-remaining"] = answer.Remaining.ToString();
        }
        if (answer.Allowed)
            return null;
        http.Response.Headers["x-ratelimit-reset"] = (
            (database.Now / 1000) + (long)(answer.RetryAfter * 1000)
        ).ToString();
        return new Refusal(429, "Too many requests", "rate_limited")
        {
            RetryAfterSeconds = Math.Max(1, (int)Math.Ceiling(answer.RetryAfter)),
        };
    }
}
