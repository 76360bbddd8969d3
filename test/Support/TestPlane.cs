using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text;
using Postern.Relay.Protocol;

namespace Postern.Support;

/// <summary>The smallest possible plane: it joins, connects, opens envelopes and answers them as a test says.</summary>
internal sealed class TestPlane : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 100 });

    private TestPlane(string url, JoinedRelay joined, P256Key sign, P256Key open)
    {
        (RelayUrl, Joined, Sign, Open) = (url, joined, sign, open);
        RelayKey = P256PublicKey.TryParse(joined.Key)!;
    }

    public string RelayUrl { get; init; }

    public JoinedRelay Joined { get; }

    public string Id => Joined.Plane;

    public P256Key Sign { get; set; }

    public P256Key Open { get; set; }

    public P256PublicKey RelayKey { get; }

    /// <summary>How wrong its clock is, in milliseconds.</summary>
    public long ClockOff { get; set; }

    public static Task<TestPlane> JoinAsync(RelayNode relay, EnrolmentCode code) => JoinAsync(relay.Url, code);

    public static async Task<TestPlane> JoinAsync(string url, EnrolmentCode code)
    {
        var (sign, open) = (P256Key.Make(), P256Key.Make());
        var join = JoinRelay.Make(code, "a plane of the tests", sign, open.Public);
        using var http = new HttpClient();
        using var answer = await http.PostAsJsonAsync(url + JoinRelay.Path, join);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var joined = await answer.Content.ReadFromJsonAsync<JoinedRelay>();
        Assert.NotNull(joined!.KeyFor(code, join));
        return new TestPlane(url, joined, sign, open);
    }

    /// <summary>The path of one of its doors at the relay.</summary>
    public string At(string target) => $"/p/{Id}{target}";

    public PlaneAuthorization Authorize(string method, string path, byte[]? body = null, string node = "node-1") =>
        PlaneAuthorization.Make(
            Sign,
            Id,
            node,
            TimeProvider.System.GetLocalNow().ToUnixTimeMilliseconds() + ClockOff,
            new HandshakeTarget(method, Joined.Relay, path, body ?? [])
        );

    /// <summary>A WebSocket that was accepted, before its first frame.</summary>
    public async Task<ClientWebSocket> SocketAsync(string node = "node-1", PlaneAuthorization? authorization = null)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol(RelayLimits.SubProtocol);
        socket.Options.KeepAliveInterval = Timeout.InfiniteTimeSpan;
        socket.Options.CollectHttpResponseDetails = true;
        var asked = authorization ?? Authorize("GET", "/relay/v1/connect", node: node);
        socket.Options.SetRequestHeader("Authorization", asked.ToString());
        var url = new Uri(RelayUrl.Replace("http://", "ws://", StringComparison.Ordinal) + "/relay/v1/connect");
        await socket.ConnectAsync(url, default);
        return socket;
    }

    /// <summary>A connection after its first frame.</summary>
    public async Task<PlaneSession> ConnectAsync(string node = "node-1", params DoorEntry[] doors)
    {
        var asked = Authorize("GET", "/relay/v1/connect", node: node);
        var session = new PlaneSession(this, await SocketAsync(node, asked));
        await session.GreetedAsync();
        Assert.Equal(asked.Nonce, session.Ready.Nonce);
        if (doors.Length > 0)
            await session.ListAsync(session.Ready.Doors + 1, doors);
        return session;
    }

    public async Task<HttpResponseMessage> PostAsync(
        string path,
        byte[]? body = null,
        PlaneAuthorization? authorization = null,
        HttpMethod? method = null,
        CancellationToken cancel = default
    )
    {
        var verb = method ?? HttpMethod.Post;
        using var request = new HttpRequestMessage(verb, RelayUrl + path);
        request.Headers.TryAddWithoutValidation(
            "Authorization",
            (authorization ?? Authorize(verb.Method, path, body)).ToString()
        );
        request.Content = new ByteArrayContent(body ?? []);
        if (path == RotatePlaneKeys.Path)
            request.Content.Headers.ContentType = new("application/json");
        return await _http.SendAsync(request, cancel);
    }

    public byte[] Encode(FrameHead head, byte[]? body = null) =>
        new Frame(head, body ?? []).Encode(Sign, RelaySignature.ToRelay);

    public byte[] Answer(EnvelopeHead envelope, int status, string body, params string[][] headers) =>
        Encode(
            new AnswerHead(envelope.Relay, envelope.Plane, envelope.Id, envelope.Seq, status, headers),
            Encoding.UTF8.GetBytes(body)
        );

    public RelayedRequest Unseal(Frame frame) =>
        EnvelopeSeal.TryOpen(Open, (EnvelopeHead)frame.Head, frame.Body.Span)
        ?? throw new InvalidOperationException("The envelope does not open.");

    public static DoorEntry Door(
        string path,
        string kind = DoorEntry.Inbound,
        int waitMs = 8_000,
        bool signed = true
    ) => new(path, kind, ["POST"], 64 * 1024, waitMs, signed);

    public void Dispose()
    {
        _http.Dispose();
        Sign.Dispose();
        Open.Dispose();
    }
}
