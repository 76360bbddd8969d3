using System.Threading.Channels;
using Postern.Relay.Protocol;

namespace Postern.Relay.Server;

/// <summary>
/// The link to a plane that cannot use a WebSocket. It fetches frames with held requests, and sends its own with
/// others.
/// </summary>
internal sealed class PollLink(TimeProvider clock) : PlaneLink(clock)
{
    private const int MostFrames = 64;
    private const int MostBrought = 4;
    private readonly Channel<byte[]> _out = Channel.CreateBounded<byte[]>(MostFrames);
    private readonly Channel<ReadOnlyMemory<byte>> _in = Channel.CreateBounded<ReadOnlyMemory<byte>>(MostBrought);
    private readonly CancellationTokenSource _ended = new();
    private readonly SemaphoreSlim _taking = new(1, 1);

    /// <summary>The frames that the last poll took. Its client may not have received them.</summary>
    private List<byte[]> _unsure = [];

    public override string Transport => ConnectionRow.Poll;

    public bool HasEnded => _ended.IsCancellationRequested;

    public override async Task SendAsync(byte[] frame, CancellationToken stop) =>
        await _out.Writer.WriteAsync(frame, stop);

    public override async Task<ReadOnlyMemory<byte>?> ReceiveAsync(CancellationToken stop)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, _ended.Token);
        try
        {
            return await _in.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>Takes frames that the plane has sent. Returns false when the connection has ended.</summary>
    public async Task<bool> BringAsync(IReadOnlyList<ReadOnlyMemory<byte>> frames, CancellationToken gone)
    {
        Heard();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(gone, _ended.Token);
        try
        {
            foreach (var frame in frames)
                await _in.Writer.WriteAsync(frame, either.Token);
        }
        catch (OperationCanceledException) when (!gone.IsCancellationRequested)
        {
            return false;
        }
        return !HasEnded;
    }

    /// <summary>
    /// Returns the frames for the plane, at most 1 MiB, or none when none came for a while. Of two polls at the same
    /// time, the second waits for the first.
    /// </summary>
    public async Task<List<byte[]>> FetchAsync(TimeSpan held, CancellationToken gone)
    {
        Heard();
        await _taking.WaitAsync(gone);
        using var over = new CancellationTokenSource(held, Clock);
        using var until = CancellationTokenSource.CreateLinkedTokenSource(gone, _ended.Token, over.Token);
        var frames = _unsure;
        try
        {
            _unsure = [];
            if (frames.Count == 0)
                frames.Add(await _out.Reader.ReadAsync(until.Token));
            var size = frames.Sum(f => f.Length);
            while (
                size < RelayLimits.Poll
                && _out.Reader.TryPeek(out var next)
                && size + next.Length <= RelayLimits.Poll
                && _out.Reader.TryRead(out var frame)
            )
            {
                frames.Add(frame);
                size += frame.Length;
            }
        }
        catch (OperationCanceledException) when (!gone.IsCancellationRequested)
        {
            // No frame came.
        }
        finally
        {
            if (gone.IsCancellationRequested)
                _unsure = frames;
            Heard();
            _taking.Release();
        }
        return frames;
    }

    /// <summary>The answer to a poll was not delivered, so the next poll gets it.</summary>
    public async Task LostAsync(List<byte[]> frames)
    {
        await _taking.WaitAsync();
        _unsure = [.. frames, .. _unsure];
        _taking.Release();
    }

    public override Task CloseAsync(int code, string reason) => _ended.CancelAsync();
}
