using System.Net.WebSockets;
using Postern.Relay.Protocol;

namespace Postern.Relay.Plane;

/// <summary>
/// Carries frames over one WebSocket. Each frame is a binary message, sent in small fragments, so that the other side
/// sees life during a large one. Every byte that arrives counts as life.
/// </summary>
internal sealed class SocketTransport : IRelayTransport
{
    public const string Path = "/relay/v1/connect";
    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How long to wait for the answer to an upgrade. A connection that is accepted and never answered is no way.
    /// </summary>
    private static readonly TimeSpan UpgradeTime = TimeSpan.FromSeconds(30);
    private readonly ClientWebSocket _socket = new();
    private readonly SemaphoreSlim _sending = new(1);
    private readonly RelayHttp _http;
    private readonly TimeProvider _clock;
    private readonly string _nonce;
    private readonly byte[] _buffer = new byte[RelayLimits.Fragment];
    private long _heardAt;

    private SocketTransport(RelayHttp http, TimeProvider clock, string nonce)
    {
        (_http, _clock, _nonce, _heardAt) = (http, clock, nonce, clock.GetTimestamp());
        _socket.Options.AddSubProtocol(RelayLimits.SubProtocol);
        _socket.Options.KeepAliveInterval = TimeSpan.Zero;
        _socket.Options.CollectHttpResponseDetails = true;
    }

    public string Name => "websocket";

    public long HeardAt => Interlocked.Read(ref _heardAt);

    /// <exception cref="RelayRefusedException">
    /// It was not let in, or something in between takes no WebSocket.</exception>
    public static async Task<SocketTransport> ConnectAsync(
        JoinedPlane plane,
        RelayHttp http,
        PlaneAuthorization proof,
        TimeProvider clock,
        CancellationToken cancel
    )
    {
        var url = new UriBuilder(new Uri(new Uri(plane.Server), Path.TrimStart('/')));
        url.Scheme = url.Scheme == "https" ? "wss" : "ws";
        var transport = new SocketTransport(http, clock, proof.Nonce);
        using var patience = new CancellationTokenSource(UpgradeTime, clock);
        using var until = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancel);
        try
        {
            transport._socket.Options.SetRequestHeader("Authorization", proof.ToString());
            await transport._socket.ConnectAsync(url.Uri, http.Invoker, until.Token);
            if (transport._socket.SubProtocol != RelayLimits.SubProtocol)
                throw new RelayRefusedException("upgrade", "what answered speaks another protocol than a relay");
            return transport;
        }
        catch (Exception fault) when (patience.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            await transport.DisposeAsync();
            throw new RelayRefusedException(
                "connect",
                $"{url.Host} takes connections and answers nothing within 30 seconds",
                fault
            );
        }
        catch (WebSocketException fault)
        {
            var status = (int)transport._socket.HttpStatusCode;
            await transport.DisposeAsync();
            throw status switch
            {
                0 => RelayHttp.Explain(url.Uri, fault),
                401 => new RelayRefusedException("401", "the relay refuses the upgrade", fault),
                _ => new RelayRefusedException("upgrade", $"the upgrade was answered {status} in place of 101", fault),
            };
        }
        catch
        {
            await transport.DisposeAsync();
            throw;
        }
    }

    public bool Sent(string nonce) => nonce == _nonce;

    public async Task SendAsync(byte[] frame, CancellationToken cancel)
    {
        await _sending.WaitAsync(cancel);
        try
        {
            for (var from = 0; from < frame.Length; from += RelayLimits.Fragment)
            {
                var length = Math.Min(RelayLimits.Fragment, frame.Length - from);
                await _socket.SendAsync(
                    frame.AsMemory(from, length),
                    WebSocketMessageType.Binary,
                    from + length == frame.Length,
                    cancel
                );
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    public async Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken cancel)
    {
        using var message = new MemoryStream();
        while (true)
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(), cancel);
            Interlocked.Exchange(ref _heardAt, _clock.GetTimestamp());
            if (read.MessageType == WebSocketMessageType.Close)
                return null;
            if (message.Length + read.Count > RelayLimits.Frame)
            {
                await CloseAsync(CloseCode.TooLarge, "a frame is too large");
                return null;
            }
            message.Write(_buffer, 0, read.Count);
            if (read.EndOfMessage)
                return message.ToArray();
        }
    }

    public async Task CloseAsync(int code, string why)
    {
        using var patience = new CancellationTokenSource(CloseTime, _clock);
        try
        {
            if (_socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await _socket.CloseOutputAsync((WebSocketCloseStatus)code, why, patience.Token);
        }
        catch (Exception fault) when (fault is WebSocketException or OperationCanceledException or IOException)
        {
            // The other side has ended by itself.
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Abort();
        _socket.Dispose();
        _sending.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
    }
}
