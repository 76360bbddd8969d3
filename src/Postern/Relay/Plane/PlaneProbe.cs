using System.Text.Json;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>Asks a relay once whether it accepts this server, without taking any envelope. Used by commands.</summary>
internal sealed class PlaneProbe(Database database, PosternOptions options, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public async Task<PlaneProbed> TryAsync(JoinedPlane plane, CancellationToken cancel)
    {
        using var http = new RelayHttp(options);
        if (http.WhyNot(plane.Server) is { } why)
            return Failed(new RelayRefusedException("tls", why));
        using var patience = new CancellationTokenSource(Patience, clock);
        using var until = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancel);
        try
        {
            var (status, body, proof) = await AskAsync(plane, http, until.Token);
            return status switch
            {
                // The relay let the request in. That this process has no poll connection is not a fault here.
                (>= 200 and < 300) or 409 => new PlaneProbed(
                    null,
                    Read<PlaneAtRelay>(body),
                    await TakesWebSocketsAsync(plane, http, until.Token)
                ),
                401 => Failed(RelayHttp.Refused(plane, proof, body)),
                _ => Failed(new RelayRefusedException("answer", $"it answered {status}: is it a relay?")),
            };
        }
        catch (RelayRefusedException refused)
        {
            return Failed(refused);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return Failed(new RelayRefusedException("connect", "nothing was answered within 20 seconds"));
        }
    }

    private async Task<(int Status, byte[] Body, PlaneAuthorization Proof)> AskAsync(
        JoinedPlane plane,
        RelayHttp http,
        CancellationToken cancel
    )
    {
        const string path = PollTransport.SendPath;
        var target = new HandshakeTarget("POST", plane.Relay, path, default);
        var there = new PlaneClock(database).There;
        var proof = PlaneAuthorization.Make(plane.Sign, plane.Plane, "command", there, target);
        var url = UrlOf(plane, path);
        const string media = "application/octet-stream";
        var (status, body) = await http.SendAsync(HttpMethod.Post, url, [], media, proof.ToString(), cancel);
        return (status, body, proof);
    }

    /// <summary>Returns whether the relay itself refuses a WebSocket without its protocol.</summary>
    private static async Task<bool> TakesWebSocketsAsync(JoinedPlane plane, RelayHttp http, CancellationToken cancel)
    {
        var (_, body) = await http.AskUpgradeAsync(UrlOf(plane, SocketTransport.Path), cancel);
        return RelayHttp.CodeOf(body) == "bad_protocol";
    }

    private static Uri UrlOf(JoinedPlane plane, string path) => new(new Uri(plane.Server), path.TrimStart('/'));

    private static PlaneProbed Failed(RelayRefusedException fault) => new(fault, null, false);

    private static T? Read<T>(byte[] body)
        where T : class
    {
        try
        {
            return body.Length == 0 ? null : JsonSerializer.Deserialize<T>(body, FrameHead.Json);
        }
        catch (JsonException)
        {
            // The answer is not a relay's.
            return null;
        }
    }
}
