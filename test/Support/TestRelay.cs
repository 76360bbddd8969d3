using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Postern.Relay.Plane;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Support;

/// <summary>
/// A relay that does what the test says: it speaks the protocol, accepts one plane, and hands over envelopes in any
/// order, altered, repeated or dated back.
/// </summary>
internal sealed class TestRelay : IAsyncDisposable
{
    private readonly Dictionary<string, int> _answered = new(StringComparer.Ordinal);
    private readonly Channel<TestRelayConnection> _connections = Channel.CreateUnbounded<TestRelayConnection>();
    private readonly string _codeId = Id.New("prc", 1)[4..];
    private readonly string _secret = EnrolmentCode.NewSecret();
    private WebApplication _app = null!;
    private TestRelayConnection? _byPoll;
    private long _seq;
    private int _ids;

    public P256Key Key { get; } = P256Key.Make();

    public string Relay { get; } = "rly_test" + Guid.NewGuid().ToString("N")[..8];

    public string Plane { get; } = "pln_test";

    public P256PublicKey PlaneSign { get; private set; } = null!;

    public P256PublicKey PlaneOpen { get; private set; } = null!;

    public EnrolmentCode Code { get; private set; } = null!;

    /// <summary>How far this relay's clock is ahead.</summary>
    public TimeSpan ClockOff { get; set; }

    public long Now => DateTimeOffset.UtcNow.Add(ClockOff).ToUnixTimeMilliseconds();

    /// <summary>Changes the first frame before it is signed.</summary>
    public Func<ReadyHead, ReadyHead> Ready { get; set; } = r => r;

    /// <summary>A first frame that is not ready; null: it is.</summary>
    public FrameHead? Instead { get; set; }

    /// <summary>Changes the answer to a code.</summary>
    public Func<JoinedRelay, JoinedRelay> Joined { get; set; } = j => j;

    /// <summary>The key that signs frames; by default the pinned one.</summary>
    public P256Key? Signer { get; set; }

    /// <summary>A refusal instead of the upgrade; null: it is accepted.</summary>
    public Func<PlaneAuthorization, IResult?> Refuse { get; set; } = _ => null;

    /// <summary>Accepts requests instead of a WebSocket.</summary>
    public bool NoUpgrade { get; set; }

    /// <summary>The received answers; the last one of an envelope counts.</summary>
    public List<(AnswerHead Head, byte[] Body)> Answers { get; } = [];

    public IReadOnlyList<DoorEntry> Doors { get; private set; } = [];

    public long DoorsVersion { get; private set; }

    public long First { get; set; } = 1;

    public static async Task<TestRelay> StartAsync()
    {
        var relay = new TestRelay();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        relay._app = builder.Build();
        relay._app.UseWebSockets();
        relay._app.Run(relay.TakeAsync);
        await relay._app.StartAsync();
        relay.Code = new EnrolmentCode(
            relay._app.Urls.First() + "/",
            relay._codeId,
            relay._secret,
            relay.Key.Public.Fingerprint
        );
        return relay;
    }

    public async Task<JoinedPlane> JoinAsync(TestServer server) =>
        await server.App.Services.GetRequiredService<PlaneEnrolment>().JoinAsync(Code.ToString(), "test", default);

    /// <summary>Returns the next connection whose first frame the plane has accepted.</summary>
    public async Task<TestRelayConnection> ConnectionAsync() =>
        await _connections.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));

    /// <summary>Makes an envelope with the next number, sealed and signed.</summary>
    public Frame Seal(RelayedRequest request, Func<EnvelopeHead, EnvelopeHead>? change = null)
    {
        var head = new EnvelopeHead(
            Relay,
            Plane,
            $"env_{Interlocked.Increment(ref _ids):D6}",
            Interlocked.Increment(ref _seq),
            Lane.Of(request.Target),
            Now,
            Now + 3_600_000,
            "",
            ""
        );
        return EnvelopeSeal.Seal(PlaneOpen, change?.Invoke(head) ?? head, request);
    }

    public byte[] Encode(Frame frame) => frame.Encode(Signer ?? Key, RelaySignature.ToPlane);

    /// <summary>Returns the answer to an envelope when it has come.</summary>
    public async Task<(int Status, string Text)> AnswerAsync(string id)
    {
        (AnswerHead? Head, byte[]? Body) found = default;
        await WaitFor.TrueAsync(
            () =>
            {
                lock (Answers)
                    found = Answers.LastOrDefault(a => a.Head.Id == id);
                return Task.FromResult(found.Head is not null);
            },
            what: "the answer to " + id
        );
        return (found.Head!.Status, System.Text.Encoding.UTF8.GetString(found.Body!));
    }

    public int CountAnswers(string id)
    {
        lock (Answers)
            return _answered.GetValueOrDefault(id);
    }

    internal void Took(DoorsHead head, ReadOnlyMemory<byte> body) =>
        (DoorsVersion, Doors) = (
            head.Version,
            DoorsHead.TryReadBody(body.Span) ?? throw new InvalidOperationException()
        );

    internal void Took(AnswerHead head, ReadOnlyMemory<byte> body)
    {
        lock (Answers)
        {
            Answers.Add((head, body.ToArray()));
            _answered[head.Id] = _answered.GetValueOrDefault(head.Id) + 1;
        }
    }

    private async Task TakeAsync(HttpContext http)
    {
        if (http.Request.Path == JoinRelay.Path)
        {
            var join = (await JsonSerializer.DeserializeAsync<JoinRelay>(http.Request.Body, FrameHead.Json))!;
            (PlaneSign, PlaneOpen) = (P256PublicKey.TryParse(join.Sign)!, P256PublicKey.TryParse(join.Open)!);
            Assert.True(join.IsSignedBy(PlaneSign));
            Assert.Equal(EnrolmentProof.OfPlane(_secret, Key.Public.Fingerprint, join), join.Proof);
            var key = Key.Public.Text;
            var proof = EnrolmentProof.OfRelay(_secret, Plane, key, join);
            var joined = Joined(new JoinedRelay(Plane, Relay, key, $"{_app.Urls.First()}/p/{Plane}", proof));
            http.Response.StatusCode = 201;
            await http.Response.WriteAsync(JsonSerializer.Serialize(joined, FrameHead.Json));
            return;
        }
        var proven = PlaneAuthorization.TryParse(http.Request.Headers.Authorization)!;
        if (http.Request.Path == SocketTransport.Path && NoUpgrade)
        {
            http.Response.StatusCode = 400;
            return;
        }
        if (Refuse(proven) is { } refused)
        {
            await refused.ExecuteAsync(http);
            return;
        }
        if (!http.WebSockets.IsWebSocketRequest)
        {
            await PollAsync(http, proven);
            return;
        }
        Assert.True(proven.IsBy(PlaneSign, new HandshakeTarget("GET", Relay, SocketTransport.Path, default)));
        using var socket = await http.WebSockets.AcceptWebSocketAsync(RelayLimits.SubProtocol);
        var connection = new TestRelayConnection(this, socket);
        await connection.SendAsync(new Frame(Instead ?? Ready(ReadyTo(proven))));
        await connection.RunAsync(_connections.Writer);
    }

    /// <summary>The same by requests; the first one is answered with ready.</summary>
    private async Task PollAsync(HttpContext http, PlaneAuthorization proven)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        var path = http.Request.Path.Value!;
        Assert.True(proven.IsBy(PlaneSign, new HandshakeTarget("POST", Relay, path, body.ToArray())));
        if (path == PollTransport.SendPath)
        {
            foreach (var frame in FrameBatch.TryRead(body.ToArray())!)
                await _byPoll!.TakeAsync(frame);
            http.Response.StatusCode = 204;
            return;
        }
        if (_byPoll is null)
        {
            _byPoll = new TestRelayConnection(this, null);
            await _byPoll.SendAsync(new Frame(Ready(ReadyTo(proven))));
            await _connections.Writer.WriteAsync(_byPoll);
        }
        await http.Response.Body.WriteAsync(
            FrameBatch.Write([await _byPoll.Polled.Reader.ReadAsync(http.RequestAborted)])
        );
    }

    private ReadyHead ReadyTo(PlaneAuthorization proven) =>
        new()
        {
            Relay = Relay,
            Plane = Plane,
            Connection = "con_" + Guid.NewGuid().ToString("N"),
            Nonce = proven.Nonce,
            Time = Now,
            Holder = true,
            Doors = 0,
            Open = new OpenNumbers(First, Math.Max(First, _seq + 1)),
            MaxAgeSeconds = 72 * 3600,
            Quota = new BacklogQuota(10_000, 256 * 1024 * 1024),
            Backlog = new BacklogSize(0, 0, null),
        };

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationTokenSource(TimeSpan.FromSeconds(2)).Token);
        await _app.DisposeAsync();
        Key.Dispose();
    }
}
