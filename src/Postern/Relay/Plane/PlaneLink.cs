using System.Net.WebSockets;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Keeps one connection to one relay until it is stopped. Before each new try it waits a random time, which grows. It
/// uses a WebSocket, or for a while requests, where something in between refuses WebSockets. It never gives up the
/// identity by itself. Only a refusal that the pinned key has signed means that the relay no longer knows this plane;
/// then it asks again now and then.
/// </summary>
internal sealed class PlaneLink(JoinedPlane plane, PlaneParts parts, PosternOptions options, string node, ILogger log)
{
    private const int SocketsBeforePoll = 3;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan Lived = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PollFor = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan AskRevoked = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan TellAway = TimeSpan.FromSeconds(60);
    private readonly PlaneClock _clock = new(parts.Database);
    private readonly CancellationTokenSource _stop = new();
    private PlaneSession? _session;
    private Task _running = Task.CompletedTask;
    private int _shortSockets;
    private int _connections;
    private long _pollUntil;

    public JoinedPlane Plane => plane;

    public PlaneStanding Standing { get; } = new();

    /// <summary>The present state of this node at the relay.</summary>
    public NodeStanding Now => Standing.Now(_clock.Off);

    public void Start() => _running = Task.Run(RunAsync);

    public async Task StopAsync()
    {
        if (_session is { IsReady: true } session)
            await session.SayByeAsync();
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    /// <summary>
    /// The doors have changed, or may have changed. When the connection ends meanwhile, the next one sends the list.
    /// </summary>
    public async Task TellDoorsAsync()
    {
        try
        {
            if (_session is { IsReady: true } session)
                await session.TellDoorsAsync(_stop.Token);
        }
        catch (Exception fault)
            when (IsOfConnection(fault) || fault is OperationCanceledException or ObjectDisposedException) { }
    }

    private static bool IsOfConnection(Exception fault) =>
        fault is WebSocketException or IOException or HttpRequestException;

    private async Task RunAsync()
    {
        for (var tries = 0; !_stop.IsCancellationRequested; )
        {
            var began = parts.Time.GetTimestamp();
            var pause = PauseAfter(tries);
            try
            {
                pause = await OnceAsync(pause);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault) when (IsOfConnection(fault))
            {
                Standing.Lost("connection", fault.Message, parts.Database.Now);
                PlaneLog.Away(log, plane.Relay, fault.Message, pause);
            }
            catch (Exception fault)
            {
                // Any fault ends here: nothing else would connect again.
                Standing.Lost("connection", fault.Message, parts.Database.Now);
                PlaneLog.LinkFailed(log, plane.Relay, pause, fault);
            }
            tries = parts.Time.GetElapsedTime(began) > Lived ? 0 : tries + 1;
            if (pause == TimeSpan.Zero && tries > 0)
                pause = PauseAfter(tries);
            await TellIfAwayAsync();
            await Task.Delay(pause, parts.Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Runs one connection, and returns how long to wait for the next one.</summary>
    private async Task<TimeSpan> OnceAsync(TimeSpan pause)
    {
        try
        {
            await ConnectAndServeAsync();
            return TimeSpan.Zero;
        }
        catch (RelayRefusedException refused)
        {
            return await RefusedAsync(refused, pause);
        }
    }

    private static TimeSpan PauseAfter(int tries)
    {
        var longest = Math.Min(LongestPause.TotalSeconds, FirstPause.TotalSeconds * Math.Pow(2, Math.Min(tries, 10)));
        return TimeSpan.FromSeconds(Random.Shared.NextDouble() * longest);
    }

    /// <summary>Runs one connection until it ends, or until the relay asks for the next one.</summary>
    private async Task ConnectAndServeAsync()
    {
        var byPoll = IsByPoll;
        var transport = byPoll ? Poll() : await SocketAsync();
        var began = parts.Time.GetTimestamp();
        var session = new PlaneSession(plane, transport, parts, Standing, _clock);
        _session = session;
        var served = ServeAsync(session, transport);
        await Task.WhenAny(served, session.Drains);
        if (served.IsCompleted && !byPoll)
            _shortSockets = parts.Time.GetElapsedTime(began) < Short ? _shortSockets + 1 : 0;
        if (_shortSockets >= SocketsBeforePoll && options.Relay.Transport == "auto")
            PollForAWhile();
        if (served.IsCompleted)
            await served;
    }

    /// <summary>The old connection goes on beside the new one until the relay closes it.</summary>
    private async Task ServeAsync(PlaneSession session, IRelayTransport transport)
    {
        await using (transport)
        {
            await session.RunAsync(_stop.Token);
            if (ReferenceEquals(_session, session))
                Standing.Lost("connection", "the connection has ended", parts.Database.Now);
        }
    }

    private bool IsByPoll =>
        options.Relay.Transport == "poll"
        || (options.Relay.Transport == "auto" && parts.Time.GetTimestamp() < Interlocked.Read(ref _pollUntil));

    private void PollForAWhile()
    {
        _shortSockets = 0;
        var ticks = (long)(PollFor.TotalSeconds * parts.Time.TimestampFrequency);
        Interlocked.Exchange(ref _pollUntil, parts.Time.GetTimestamp() + ticks);
    }

    private async Task<IRelayTransport> SocketAsync()
    {
        try
        {
            return await SocketTransport.ConnectAsync(
                plane,
                Http(),
                Prove(NextName(), "GET", SocketTransport.Path, []),
                parts.Time,
                _stop.Token
            );
        }
        catch (RelayRefusedException refused) when (refused.Step == "401")
        {
            throw await WhyRefusedAsync() ?? refused;
        }
    }

    /// <summary>
    /// A failed WebSocket upgrade does not show why the relay refused. A plain request does, with a signature.
    /// </summary>
    private async Task<RelayRefusedException?> WhyRefusedAsync()
    {
        using var http = Http();
        const string path = PollTransport.SendPath;
        var proof = Prove("POST", path, []);
        var url = new Uri(new Uri(plane.Server), path.TrimStart('/'));
        var (status, body) = await http.SendAsync(
            HttpMethod.Post,
            url,
            [],
            "application/octet-stream",
            proof.ToString(),
            _stop.Token
        );
        return status == 401 ? RelayHttp.Refused(plane, proof, body) : null;
    }

    /// <summary>Each connection has the next number, so it replaces the earlier ones.</summary>
    private string NextName() => new NodeName(node, ++_connections).ToString();

    private PollTransport Poll()
    {
        var own = NextName();
        return new PollTransport(plane, Http(), (method, path, body) => Prove(own, method, path, body), parts.Time);
    }

    private RelayHttp Http()
    {
        var http = new RelayHttp(options);
        if (http.WhyNot(plane.Server) is not { } why)
            return http;
        http.Dispose();
        throw new RelayRefusedException("tls", why);
    }

    private PlaneAuthorization Prove(string method, string path, byte[] body) => Prove(node, method, path, body);

    private PlaneAuthorization Prove(string by, string method, string path, byte[] body) =>
        PlaneAuthorization.Make(
            plane.Sign,
            plane.Plane,
            by,
            _clock.There,
            new HandshakeTarget(method, plane.Relay, path, body)
        );

    private async Task<TimeSpan> RefusedAsync(RelayRefusedException refused, TimeSpan pause)
    {
        Standing.Lost(refused.Step, refused.Message, parts.Database.Now);
        PlaneLog.Away(log, plane.Relay, refused.Message, pause);
        if (refused.TimeAtRelay is { } time)
            _clock.Learn(time);
        if (options.Relay.Transport == "auto" && refused.IsOfUpgrade)
            PollForAWhile();
        if (refused.Step != HandshakeRefusal.Revoked)
            return pause;
        await parts.Store.StandAsync(plane.Relay, JoinedPlane.Revoked);
        return AskRevoked;
    }

    private async Task TellIfAwayAsync()
    {
        if (
            Standing is not { Transport: null, ToldAway: false, Since: > 0 }
            || parts.Database.Now - Standing.Since < (long)TellAway.TotalMicroseconds
        )
            return;
        try
        {
            await parts.Events.AwayAsync(plane, Standing.Why ?? "");
            Standing.ToldAway = true;
        }
        catch (Exception fault)
        {
            // It is reported after the next try, if the relay is still unreachable.
            PollLog.OneFailed(log, plane.Relay, fault);
        }
    }
}
