using Postern.Access;

namespace Postern.Triggers;

/// <summary>
/// Redacts the headers and query values of a captured request. Values that are known to be harmless stay; any other
/// value whose name could mean a credential is replaced. Prompts are made from the redacted values, so they contain no
/// credential.
/// </summary>
internal static class Redaction
{
    public const string Redacted = "[REDACTED]";

    /// <summary>Names that contain one of the words below but no secret.</summary>
    private static readonly HashSet<string> Harmless = new(StringComparer.Ordinal)
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "content-type",
        "content-length",
        "content-encoding",
        "date",
        "host",
        "origin",
        "referer",
        "user-agent",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "webhook-id",
        "webhook-timestamp",
        "svix-id",
        "svix-timestamp",
        "x-github-event",
        "x-github-delivery",
        "x-github-hook-id",
        "x-gitlab-event",
        "x-gitlab-event-uuid",
        "x-gitlab-webhook-uuid",
        "x-slack-request-timestamp",
        "x-slack-retry-num",
        "x-slack-retry-reason",
        "x-shopify-topic",
        "x-shopify-webhook-id",
        "x-shopify-event-id",
        "linear-event",
        "linear-delivery",
        "sentry-hook-resource",
        "sentry-hook-timestamp",
        "x-signature-timestamp",
        "x-zm-request-timestamp",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-request-id",
        "x-correlation-id",
    };

    private static readonly string[] Words =
    [
        "token",
        "secret",
        "signature",
        "auth",
        "key",
        "jwt",
        "assertion",
        "cookie",
        "password",
        "passwd",
        "hmac",
        "credential",
        "x-amz-",
        "cf-access-",
        "x-hub-",
    ];

    public static Dictionary<string, string> Of(IHeaderDictionary headers, string? ownHeader) =>
        headers
            .GroupBy(h => h.Key.ToLowerInvariant(), StringComparer.Ordinal)
            .ToDictionary(
                h => h.Key,
                h =>
                    Hides(h.Key) || string.Equals(h.Key, ownHeader, StringComparison.OrdinalIgnoreCase)
                        ? Redacted
                        : string.Join(", ", h.SelectMany(v => v.Value.ToArray())).Replace('\0', ' '),
                StringComparer.Ordinal
            );

    /// <summary>Returns a query string with its parts in order and the values of such names replaced.</summary>
    public static string OfQuery(string query)
    {
        if (query.Length == 0)
            return query;
        return string.Join(
            '&',
            query
                .Split('&')
                .Select(part =>
                {
                    var mark = part.IndexOf('=', StringComparison.Ordinal);
                    var name = mark < 0 ? part : part[..mark];
                    return mark >= 0 && Hides(Uri.UnescapeDataString(name.Replace('+', ' ')).ToLowerInvariant())
                        ? name + "=" + Redacted
                        : part;
                })
        );
    }

    private static bool Hides(string name) =>
        !Harmless.Contains(name)
        && (
            SignatureScheme.SecretHeaders.Contains(name)
            || Array.Exists(Words, w => name.Contains(w, StringComparison.Ordinal))
        );
}
