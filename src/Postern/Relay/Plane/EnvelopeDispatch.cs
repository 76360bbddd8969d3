using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Postern.Http;
using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>
/// Turns an envelope into a request and lets the server answer it, through the same gate and the same handlers as any
/// other request. The request has no connection and no trusted address. Where it came from is only what the relay says
/// (<see cref="Arrival"/>).
/// </summary>
internal sealed class EnvelopeDispatch(RequestPipeline pipeline, PlaneMemory memory)
{
    /// <summary>
    /// Headers that belong to a connection, or in which a proxy vouches for somebody. A relay may not set them.
    /// </summary>
    private static readonly HashSet<string> Dropped = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "Content-Length",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Cookie",
        "Forwarded",
    };

    private static readonly string[] DroppedBeginnings = ["Proxy-", "X-Forwarded-", "Postern-", ":"];

    /// <summary>The headers of an answer that are passed on to the caller.</summary>
    private static readonly string[] Passed = ["Content-Type", "Retry-After", "WWW-Authenticate", "Allow"];

    public async Task<PlaneAnswer> AnswerAsync(EnvelopeHead head, RelayedRequest request, CancellationToken cancel)
    {
        using var sent = new MemoryStream();
        var response = new HttpResponseFeature { Body = sent };
        var from = IPAddress.TryParse(request.Source, out var source) ? source : null;
        var features = new RelayedFeatures(new Arrival(head.Id, memory.InstantOf(head.ReceivedAt * 1000), from));
        features.Set<IHttpRequestFeature>(RequestOf(request));
        features.Set<IHttpResponseFeature>(response);
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(sent));
        features.Set<IHttpRequestLifetimeFeature>(new HttpRequestLifetimeFeature { RequestAborted = cancel });
        features.Set<IHttpConnectionFeature>(new HttpConnectionFeature { ConnectionId = head.Id });
        features.Set<IHttpRequestIdentifierFeature>(new HttpRequestIdentifierFeature { TraceIdentifier = head.Id });
        await pipeline.AnswerAsync(features, cancel);
        await features.GetRequiredFeature<IHttpResponseBodyFeature>().CompleteAsync();
        cancel.ThrowIfCancellationRequested();
        return sent.Length > RelayLimits.Answer
            ? new PlaneAnswer(
                502,
                [
                    ["Content-Type", "text/plain"],
                ],
                "The answer is larger than a relay passes on."u8.ToArray()
            )
            : new PlaneAnswer(response.StatusCode, [.. HeadersOf(response.Headers)], sent.ToArray());
    }

    private static HttpRequestFeature RequestOf(RelayedRequest request)
    {
        var mark = request.Target.IndexOf('?', StringComparison.Ordinal);
        var path = mark < 0 ? request.Target : request.Target[..mark];
        var headers = new HeaderDictionary();
        foreach (var header in request.Headers)
            if (!IsDropped(header[0]))
                headers.Append(header[0], header[1]);
        headers.ContentLength = request.Body.Length;
        return new HttpRequestFeature
        {
            Method = request.Method,
            Protocol = "HTTP/1.1",
            Scheme = "https",
            RawTarget = request.Target,
            Path = PathString.FromUriComponent(path).Value ?? "",
            QueryString = mark < 0 ? "" : request.Target[mark..],
            Headers = headers,
            Body = new MemoryStream(request.Body.ToArray(), writable: false),
        };
    }

    private static bool IsDropped(string name) =>
        Dropped.Contains(name)
        || Array.Exists(DroppedBeginnings, b => name.StartsWith(b, StringComparison.OrdinalIgnoreCase));

    private static IEnumerable<string[]> HeadersOf(IHeaderDictionary headers)
    {
        foreach (var name in Passed)
            if (headers.TryGetValue(name, out StringValues values) && values is [{ Length: > 0 } value])
                yield return [name, value.Trim().ToString(CultureInfo.InvariantCulture)];
    }
}
