using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Threading.Channels;
using Postern.Relay.Protocol;

namespace Postern.Support;

/// <summary>One connection of a <see cref="TestPlane"/>: what it received, and what it sends.</summary>
internal sealed class PlaneSession : IAsyncDisposable
{
    private readonly TestPlane _plane;
    private readonly ClientWebSocket _socket;
    private readonly Channel<Frame> _frames = Channel.CreateUnbounded<Frame>();
    private readonly ConcurrentQueue<Frame> _passed = new();
    private readonly CancellationTokenSource _end = new();
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly Task _receiving;

    public PlaneSession(TestPlane plane, ClientWebSocket socket)
    {
        (_plane, _socket) = (plane, socket);
        _receiving = ReceiveAsync();
    }

    public ReadyHead Ready { get; private set; } = null!;

    /// <summary>Completes with the close code when the relay has ended the connection.</summary>
    public TaskCompletionSource<int> Closed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task GreetedAsync() => Ready = (ReadyHead)(await NextAsync<ReadyHead>()).Head;

    /// <summary>Returns the next frame of a kind; earlier frames of other kinds are ignored.</summary>
    public async Task<Frame> NextAsync<T>(Func<T, bool>? wanted = null, double seconds = 30)
        where T : FrameHead
    {
        using var until = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        while (true)
        {
            var frame = await _frames.Reader.ReadAsync(until.Token);
            if (frame.Head is T head && wanted?.Invoke(head) != false)
                return frame;
            _passed.Enqueue(frame);
        }
    }

    /// <summary>Returns whether no frame of a kind has come yet.</summary>
    public bool HasNone<T>()
        where T : FrameHead
    {
        while (_frames.Reader.TryRead(out var frame))
            _passed.Enqueue(frame);
        return !_passed.Any(f => f.Head is T);
    }

    public Task SendAsync(FrameHead head, byte[]? body = null) => SendAsync(_plane.Encode(head, body));

    public async Task SendAsync(byte[] bytes)
    {
        await _sending.WaitAsync();
        try
        {
            await _socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, default);
        }
        finally
        {
            _sending.Release();
        }
    }

    public async Task ListAsync(long version, params DoorEntry[] doors)
    {
        await SendAsync(new DoorsHead(version), DoorsHead.BodyOf(doors));
        await NextAsync<KeptHead>(k => k.What == KeptHead.DoorsList && k.Version >= version);
    }

    public Task AnswerAsync(Frame envelope, int status, string body, params string[][] headers) =>
        SendAsync(_plane.Answer((EnvelopeHead)envelope.Head, status, body, headers));

    /// <summary>Answers each envelope that comes, until the connection ends.</summary>
    public async Task AnswerAllAsync(Func<EnvelopeHead, RelayedRequest, (int Status, string Body)> judge)
    {
        try
        {
            while (await _frames.Reader.WaitToReadAsync(_end.Token))
            {
                while (_frames.Reader.TryRead(out var frame))
                {
                    if (frame.Head is not EnvelopeHead head)
                        continue;
                    var (status, body) = judge(head, _plane.Unseal(frame));
                    await AnswerAsync(frame, status, body, ["Content-Type", "application/json"]);
                }
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or WebSocketException)
        {
            // The test is over, or the relay has gone.
        }
    }

    /// <summary>Cuts the connection without a close.</summary>
    public async Task CutAsync()
    {
        await _end.CancelAsync();
        _socket.Abort();
        await _receiving;
    }

    private async Task ReceiveAsync()
    {
        var buffer = new byte[RelayLimits.Fragment];
        using var message = new MemoryStream();
        try
        {
            while (true)
            {
                var read = await _socket.ReceiveAsync(buffer, _end.Token);
                if (read.MessageType == WebSocketMessageType.Close)
                {
                    Closed.TrySetResult((int)(read.CloseStatus ?? 0));
                    _frames.Writer.TryComplete();
                    await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", default);
                    return;
                }
                message.Write(buffer, 0, read.Count);
                if (!read.EndOfMessage)
                    continue;
                var taken = Frame.Read(message.ToArray(), RelaySignature.ToPlane, _plane.RelayKey);
                message.SetLength(0);
                if (!taken.Try(out var frame, out var fault))
                    throw new InvalidOperationException("A frame of the relay is bad: " + fault);
                await _frames.Writer.WriteAsync(frame);
            }
        }
        catch (Exception fault)
            when (fault is OperationCanceledException or WebSocketException or ObjectDisposedException)
        {
            Closed.TrySetResult(0);
            _frames.Writer.TryComplete();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CutAsync();
        _socket.Dispose();
        _end.Dispose();
        _sending.Dispose();
    }
}
