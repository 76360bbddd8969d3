using System.Text.Json;
using Postern.Access;
using Postern.Http;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// The routes by which planes connect to this relay: a WebSocket, or held requests where WebSockets are refused.
/// </summary>
internal sealed class ConnectRoutes(
    PlaneHandshakes handshakes,
    RelayConnections connections,
    RelayIdentity identity,
    CredentialReader credentials,
    ServerLife life,
    PlaneEnds ends,
    PlaneStores stores
)
{
    private const string Connection = "/relay/v1/connect";
    private const string Polling = "/relay/v1/poll";
    private const string Sending = "/relay/v1/send";
    private const string Self = "/relay/v1/planes/self";
    private const string Proof = "the plane's signature";
    private const int MaxPoll = 1024;
    private const int MaxKeys = 4096;
    private const int MaxSent = RelayLimits.Frame + 64;

    public void Map(Doors doors)
    {
        var relay = doors.Group("", ProblemFormat.Instance);
        relay
            .Get(Connection, Credentials.Plane, Proof, Connect)
            .WithSummary("A plane's connection: a WebSocket")
            .Produces(101, 400, 401, 426, 429);
        relay
            .Post(Polling, Credentials.Plane, Proof, Poll)
            .WithSummary("Frames for a plane that reaches no WebSocket; held for 25 s")
            .Produces(200, 204, 401, 409, 413, 429);
        relay
            .Post(Sending, Credentials.Plane, Proof, Send)
            .WithSummary("Frames from a plane that reaches no WebSocket")
            .Produces(204, 400, 401, 409, 413, 429);
        relay
            .Post(RotatePlaneKeys.Path, Credentials.Plane, Proof, Rotate)
            .WithSummary("Other keys of a plane; the old one signs for 24 hours")
            .Accepts<RotatePlaneKeys>()
            .Produces(204, 400, 401, 413, 429);
        relay
            .Delete(Self, Credentials.Plane, Proof, Leave)
            .WithSummary("A plane leaves the relay")
            .Produces(204, 401, 429);
    }

    private async Task<IResult> Connect(HttpContext http)
    {
        if (!http.WebSockets.IsWebSocketRequest)
        {
            http.Response.Headers.Upgrade = "websocket";
            return new Refusal(426, "This route is a WebSocket", "upgrade_required");
        }
        if (!http.WebSockets.WebSocketRequestedProtocols.Contains(RelayLimits.SubProtocol, StringComparer.Ordinal))
            return Refusal.BadRequest($"The WebSocket's protocol must be {RelayLimits.SubProtocol}", "bad_protocol");
        if (!(await handshakes.CheckAsync(http, Connection, default)).Try(out var caller, out var refusal))
            return refusal;
        var accepted = new WebSocketAcceptContext
        {
            SubProtocol = RelayLimits.SubProtocol,
            KeepAliveInterval = Timeout.InfiniteTimeSpan,
        };
        using var socket = await http.WebSockets.AcceptWebSocketAsync(accepted);
        var link = new SocketLink(socket, life.Clock);
        var admission = await connections.RunAsync(caller, link, credentials.AddressOf(http));
        if (admission == Admission.TooMany)
            await link.CloseAsync(CloseCode.TooMany, "the plane has 16 connections");
        else if (admission == Admission.Superseded)
            await link.CloseAsync(CloseCode.Superseded, "the same node has connected anew");
        return Results.Empty;
    }

    private async Task<IResult> Poll(HttpContext http)
    {
        if (!(await RequestBody.ReadAsync(http, MaxPoll)).Try(out var body, out var tooLarge))
            return tooLarge;
        using var _ = body;
        if (!(await handshakes.CheckAsync(http, Polling, body.Bytes)).Try(out var caller, out var refusal))
            return refusal;
        if (await connections.IsElsewhereAsync(caller))
            return NotHere(http);
        var (admission, link) = await connections.PollAsync(caller, credentials.AddressOf(http));
        if (link is null)
            return admission == Admission.TooMany ? TooMany : Superseded;
        var frames = await link.FetchAsync(RelayLimits.PollHeld, http.RequestAborted);
        return frames.Count == 0 ? Reply.NoContent : new PolledFrames(link, frames);
    }

    private async Task<IResult> Send(HttpContext http)
    {
        if (!(await RequestBody.ReadAsync(http, MaxSent)).Try(out var body, out var tooLarge))
            return tooLarge;
        using var _ = body;
        if (!(await handshakes.CheckAsync(http, Sending, body.Bytes)).Try(out var caller, out var refusal))
            return refusal;
        // The bytes are rented, and the frames live longer than the request.
        if (FrameBatch.TryRead(body.Bytes.ToArray()) is not { } frames)
            return Refusal.BadRequest("The body is no frames with their lengths", "invalid_body");
        if (await connections.IsElsewhereAsync(caller))
            return NotHere(http);
        var link = connections.Polled(caller);
        return link is not null && await link.BringAsync(frames, http.RequestAborted)
            ? Reply.NoContent
            : await NotConnectedAsync(caller.Plane.Plane);
    }

    /// <summary>
    /// Also tells the plane's state at this relay: a client that asks without a connection uses this route.
    /// </summary>
    private async Task<Refusal> NotConnectedAsync(string name)
    {
        var refusal = new Refusal(
            409,
            "The node polls nothing here, or its connection has ended: poll first",
            "not_connected"
        );
        if (await stores.Planes.FindAsync(name) is not { } plane)
            return refusal;
        var now = stores.Planes.Now;
        var oldest = await stores.Envelopes.OldestAsync(name);
        return refusal with
        {
            Extra =
            [
                ("time", now / 1000),
                ("held", plane.IsHeldNow(now)),
                ("connections", (await stores.Connections.ListAsync(name)).Count),
                ("backlog", Json(plane.Backlog(oldest?.ReceivedAt))),
                ("quota", Json(plane.Quota)),
            ],
        };
    }

    private static Action<Utf8JsonWriter> Json<T>(T value) =>
        json => JsonSerializer.Serialize(json, value, FrameHead.Json);

    private async Task<IResult> Rotate(HttpContext http)
    {
        if (!(await RequestBody.ReadAsync(http, MaxKeys)).Try(out var body, out var tooLarge))
            return tooLarge;
        using var _ = body;
        var bytes = body.Bytes.ToArray();
        if (!(await handshakes.CheckAsync(http, RotatePlaneKeys.Path, bytes)).Try(out var caller, out var refusal))
            return refusal;
        if (!RelayBodies.Read<RotatePlaneKeys>(http, body).Try(out var keys, out var invalid))
            return invalid;
        var relay = (await identity.KeysAsync()).Relay;
        if (
            P256PublicKey.TryParse(keys.Sign) is not { } sign
            || P256PublicKey.TryParse(keys.Open) is null
            || !keys.IsSignedBy(sign, relay, caller.Plane.Plane)
        )
            return Refusal.BadRequest("sign and open must be keys, and signature the new key's", "invalid_body");
        return await ends.RotateAsync(caller.Plane.Plane, keys, credentials.AddressOf(http))
            ? Reply.NoContent
            : Enrolments.PlaneMissing;
    }

    private async Task<IResult> Leave(HttpContext http)
    {
        if (!(await handshakes.CheckAsync(http, Self, default)).Try(out var caller, out var refusal))
            return refusal;
        await ends.RevokeAsync(
            caller.Plane.Plane,
            keepsBacklog: false,
            new AuditRow("", "relay.plane.left", "plane", caller.Plane.Plane, Address: credentials.AddressOf(http))
        );
        return Reply.NoContent;
    }

    private static Refusal TooMany { get; } =
        new(429, "The plane has 16 connections", "too_many_connections") { RetryAfterSeconds = 30 };

    private static Refusal Superseded { get; } =
        new(409, "The same node has connected anew", "superseded") { ShouldRetry = false };

    /// <summary>
    /// Another node of this relay has the connection. A plane that asks again by a new connection reaches another node.
    /// </summary>
    private static Refusal NotHere(HttpContext http)
    {
        http.Response.Headers.Connection = "close";
        return new Refusal(409, "Another node of the relay has this connection: ask again", RelayLimits.NotHere);
    }

    private sealed class PolledFrames(PollLink link, List<byte[]> frames) : IResult
    {
        public async Task ExecuteAsync(HttpContext http)
        {
            var bytes = FrameBatch.Write(frames);
            http.Response.ContentType = "application/octet-stream";
            http.Response.ContentLength = bytes.Length;
            try
            {
                await http.Response.Body.WriteAsync(bytes, http.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                await link.LostAsync(frames);
            }
        }
    }
}
