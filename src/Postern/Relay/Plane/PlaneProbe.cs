using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>Asks a relay once whether it takes this server, without being given anything: for commands.</summary>
internal sealed class PlaneProbe(Database database, PosternOptions options)
{
    /// <summary>Returns where it fails and what to do; null when the relay takes this server.</summary>
    public async Task<RelayRefusedException?> TryAsync(JoinedPlane plane, CancellationToken cancel)
    {
        using var http = new RelayHttp(options);
        if (http.WhyNot(plane.Server) is { } why)
            return new RelayRefusedException("tls", why);
        const string path = PollTransport.SendPath;
        var target = new HandshakeTarget("POST", plane.Relay, path, default);
        var clock = new PlaneClock(database);
        var proof = PlaneAuthorization.Make(plane.Sign, plane.Plane, "command", clock.There, target);
        var url = new Uri(new Uri(plane.Server), path.TrimStart('/'));
        try
        {
            var (status, body) = await http.SendAsync(
                HttpMethod.Post,
                url,
                [],
                "application/octet-stream",
                proof.ToString(),
                cancel
            );
            return status switch
            {
                // It was let in; that this process polls nothing is no fault.
                (>= 200 and < 300) or 409 => null,
                401 => RelayHttp.Refused(plane, proof, body),
                _ => new RelayRefusedException("answer", $"it answered {status}: is it a relay?"),
            };
        }
        catch (RelayRefusedException refused)
        {
            return refused;
        }
    }
}
