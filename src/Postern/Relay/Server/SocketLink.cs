using System.Net.WebSockets;
using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>
/// A WebSocket. Messages are sent in fragments, so that a long one shows life during all its time. The framework's own
/// pings are off, because they end a healthy slow link during one large message.
/// </summary>
internal sealed class SocketLink(WebSocket socket, TimeProvider clock) : PlaneLink(clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly byte[] _buffer = new byte[RelayLimits.Fragment];

    public override string Transport => ConnectionRow.WebSocket;

    public override async Task SendAsync(byte[] frame, CancellationToken stop)
    {
        await _sending.WaitAsync(stop);
        try
        {
            for (var at = 0; at < frame.Length; at += RelayLimits.Fragment)
            {
                var length = Math.Min(RelayLimits.Fragment, frame.Length - at);
                await socket.SendAsync(
                    frame.AsMemory(at, length),
                    WebSocketMessageType.Binary,
                    at + length == frame.Length,
                    stop
                );
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    public override async Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken stop)
    {
        using var message = new MemoryStream();
        // Cancelling a receive cuts the socket, and the reason for closing may be lost.
        await using var ending = stop.Register(() => _ = AbortSoonAsync());
        while (true)
        {
            var read = await socket.ReceiveAsync(_buffer.AsMemory(), CancellationToken.None);
            Heard();
            if (read.MessageType == WebSocketMessageType.Close)
                return null;
            if (read.MessageType != WebSocketMessageType.Binary)
            {
                await CloseAsync(CloseCode.Protocol, "frames are binary");
                return await PassOverAsync();
            }
            if (message.Length + read.Count > RelayLimits.Frame)
            {
                await CloseAsync(CloseCode.TooLarge, "the frame is too large");
                return await PassOverAsync();
            }
            message.Write(_buffer, 0, read.Count);
            if (read.EndOfMessage)
                return message.ToArray();
        }
    }

    /// <summary>Receives what is still on its way, until the other side has closed too.</summary>
    private async Task<ReadOnlyMemory<byte>?> PassOverAsync()
    {
        _ = AbortSoonAsync();
        while (
            (await socket.ReceiveAsync(_buffer.AsMemory(), CancellationToken.None)).MessageType
            != WebSocketMessageType.Close
        ) { }
        return null;
    }

    private async Task AbortSoonAsync()
    {
        await Task.Delay(Patience, Clock);
        socket.Abort();
    }

    public override async Task CloseAsync(int code, string reason)
    {
        using var until = new CancellationTokenSource(Patience, Clock);
        try
        {
            await _sending.WaitAsync(until.Token);
            try
            {
                if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                    await socket.CloseOutputAsync((WebSocketCloseStatus)code, reason, until.Token);
            }
            finally
            {
                _sending.Release();
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or WebSocketException or IOException)
        {
            // Nothing can be sent any more.
            socket.Abort();
        }
    }
}
