using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Settings;

namespace Postern.Relay.Plane;

/// <summary>
/// Sends requests to a relay: over TLS, through the proxy for outbound requests if there is one, each with a proof of
/// the plane's key. Each connection gets a new handler, so that the relay's name is resolved again.
/// </summary>
internal sealed class RelayHttp(PosternOptions options) : IDisposable
{
    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(15);

    /// <summary>The most bytes of an answer: several frames together, or one larger frame alone.</summary>
    private const int MaxAnswer = RelayLimits.Frame + RelayLimits.Poll;
    private readonly HttpMessageInvoker _http = new(
        new SocketsHttpHandler
        {
            UseProxy = options.Outbound.Proxy.Length > 0,
            Proxy = options.Outbound.Proxy.Length > 0 ? new WebProxy(options.Outbound.Proxy) : null,
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = ConnectTime,
            AutomaticDecompression = DecompressionMethods.None,
        }
    );

    public HttpMessageInvoker Invoker => _http;

    /// <summary>Returns why a relay's address must not be used, or null when it may.</summary>
    public string? WhyNot(string server)
    {
        var url = new Uri(server);
        return
            url.Scheme == "https" || options.Relay.DangerousPlainHttp || (url.IsLoopback && !options.Outbound.HttpsOnly)
            ? null
            : "the relay is reached by plain http: give it a certificate, or set Postern:Relay:DangerousPlainHttp";
    }

    /// <summary>Sends a body without a proof of a key. A code proves it instead.</summary>
    public async Task<(int Status, byte[] Body)> SendAsync(
        HttpMethod method,
        Uri url,
        byte[] body,
        string media,
        string? authorization,
        CancellationToken cancel,
        Action? heard = null
    )
    {
        using var request = new HttpRequestMessage(method, url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", media);
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return await SendAsync(request, cancel, heard);
    }

    /// <summary>
    /// Asks for a WebSocket without its protocol. A relay refuses this, which shows that such a request reaches the
    /// relay.
    /// </summary>
    public async Task<(int Status, byte[] Body)> AskUpgradeAsync(Uri url, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Connection.Add("Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", "websocket");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", "13");
        request.Headers.TryAddWithoutValidation(
            "Sec-WebSocket-Key",
            Convert.ToBase64String(RandomNumberGenerator.GetBytes(16))
        );
        return await SendAsync(request, cancel);
    }

    private async Task<(int Status, byte[] Body)> SendAsync(
        HttpRequestMessage request,
        CancellationToken cancel,
        Action? heard = null
    )
    {
        var url = request.RequestUri!;
        try
        {
            using var answer = await _http.SendAsync(request, cancel);
            if (answer.StatusCode == HttpStatusCode.SwitchingProtocols)
                return ((int)answer.StatusCode, []);
            await using var stream = await answer.Content.ReadAsStreamAsync(cancel);
            using var bytes = new MemoryStream();
            var buffer = new byte[RelayLimits.Fragment];
            for (int read; (read = await stream.ReadAsync(buffer, cancel)) > 0; bytes.Write(buffer, 0, read))
            {
                heard?.Invoke();
                if (bytes.Length + read > MaxAnswer)
                    throw new RelayRefusedException("answer", "the answer is larger than a relay's");
            }
            return ((int)answer.StatusCode, bytes.ToArray());
        }
        catch (HttpRequestException fault)
        {
            throw Explain(url, fault);
        }
        catch (IOException fault)
        {
            throw new RelayRefusedException("connect", $"the connection to {url.Host} broke: {fault.Message}", fault);
        }
    }

    /// <summary>Returns at which step towards a relay it failed, and what to do.</summary>
    public static RelayRefusedException Explain(Uri url, Exception fault)
    {
        var at = $"{url.Host}:{url.Port}";
        for (var inner = fault; inner is not null; inner = inner.InnerException)
        {
            if (inner is AuthenticationException)
                return new(
                    "tls",
                    $"the certificate of {url.Host} is not trusted here ({inner.Message}): does something in between "
                        + "inspect TLS? Add its authority to this machine's store",
                    fault
                );
            if (inner is SocketException socket)
                return socket.SocketErrorCode is SocketError.HostNotFound or SocketError.TryAgain or SocketError.NoData
                    ? new("name", $"the name {url.Host} is not resolved: check the resolver of this machine", fault)
                    : new(
                        "connect",
                        $"{at} does not take a connection ({socket.SocketErrorCode}): a firewall, or set "
                            + "Postern:Outbound:Proxy",
                        fault
                    );
        }
        return new("connect", $"{at} is not reached: {fault.Message}", fault);
    }

    /// <summary>Returns the code of a refusal, or null when the body is not from a relay.</summary>
    public static string? CodeOf(byte[] body)
    {
        try
        {
            return JsonSerializer.Deserialize<Coded>(body, FrameHead.Json)?.Code;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>
    /// Reads a 401. Only a refusal that the pinned key has signed, for this very request, has an effect.
    /// </summary>
    public static RelayRefusedException Refused(JoinedPlane plane, PlaneAuthorization sent, byte[] body)
    {
        HandshakeRefusal? refusal = null;
        try
        {
            refusal = JsonSerializer.Deserialize<HandshakeRefusal>(body, FrameHead.Json);
        }
        catch (JsonException)
        {
            // Not from the relay; perhaps a page of a proxy.
        }
        if (
            refusal is null
            || !(
                refusal.IsBy(plane.RelayKey, plane.Relay, sent)
                || (plane.NextRelayKey is { } next && refusal.IsBy(next, plane.Relay, sent))
            )
        )
            return new("401", "refused by somebody who is not the relay that was joined: nothing is done about it");
        return new(refusal.Code, $"the relay refuses: {refusal.Code}")
        {
            TimeAtRelay = refusal.Code == HandshakeRefusal.ClockSkew ? refusal.Time : null,
        };
    }

    public void Dispose() => _http.Dispose();

    private sealed record Coded(string? Code);
}
