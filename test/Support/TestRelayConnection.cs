using System.Net.WebSockets;
using System.Threading.Channels;
using Postern.Relay.Protocol;

namespace Postern.Support;

/// <summary>One connection of a plane to the relay of a test.</summary>
internal sealed class TestRelayConnection(TestRelay relay, WebSocket? socket)
{
    private readonly SemaphoreSlim _sending = new(1);
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The code with which the plane closed it; 0 when it just went away.</summary>
    public Task<int> Ended => _ended.Task.WaitAsync(TimeSpan.FromSeconds(60));

    public Task SendAsync(FrameHead head) => SendAsync(new Frame(head));

    public Task SendAsync(Frame frame) => SendAsync(relay.Encode(frame));

    /// <summary>Waits here for the plane's next request, when it has no WebSocket.</summary>
    public Channel<byte[]> Polled { get; } = Channel.CreateUnbounded<byte[]>();

    public async Task SendAsync(byte[] bytes)
    {
        if (socket is null)
        {
            await Polled.Writer.WriteAsync(bytes);
            return;
        }
        await _sending.WaitAsync();
        try
        {
            await socket.SendAsync(bytes, WebSocketMessageType.Binary, true, CancellationToken.None);
        }
        finally
        {
            _sending.Release();
        }
    }

    public Task SettleAsync(params string[] ids) => SendAsync(new SettledHead(ids));

    /// <summary>The connection breaks.</summary>
    public void Cut() => socket!.Abort();

    internal async Task RunAsync(ChannelWriter<TestRelayConnection> ready)
    {
        var isKnown = false;
        var buffer = new byte[RelayLimits.Frame];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult read;
                do
                {
                    read = await socket!.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
                    length += read.Count;
                } while (!read.EndOfMessage);
                if (read.MessageType == WebSocketMessageType.Close)
                    break;
                await TakeAsync(buffer.AsMemory(0, length).ToArray());
                if (!isKnown)
                    isKnown = ready.TryWrite(this);
            }
        }
        catch (WebSocketException)
        {
            // It broke.
        }
        _ended.TrySetResult((int?)socket!.CloseStatus ?? 0);
    }

    internal async Task TakeAsync(ReadOnlyMemory<byte> bytes)
    {
        var got = Frame.Read(bytes, RelaySignature.ToRelay, relay.PlaneSign);
        if (!got.Try(out var frame, out var fault))
            throw new InvalidOperationException($"The plane sent a frame that is {fault}.");
        if (frame.Head is DoorsHead doors)
        {
            relay.Took(doors, frame.Body);
            await SendAsync(new KeptHead(KeptHead.DoorsList, doors.Version));
        }
        if (frame.Head is AnswerHead answer)
            relay.Took(answer, frame.Body);
    }
}
