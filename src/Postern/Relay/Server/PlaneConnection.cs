using System.Threading.Channels;
using Postern.Access;
using Postern.Relay.Protocol;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Relay.Server;

/// <summary>
/// One connection of a plane, until it ends. Four loops run side by side: one receives, one commits answers, one sends,
/// and one watches the connection: whether the other side is alive, whether the connection was replaced or its plane
/// revoked, whether it holds the plane. Only the sending loop sends envelopes, and only while this connection has the
/// lease.
///
/// An answer is reported as settled only after its commit. When this node crashes, the lease ends, and the next
/// connection is offered what is unanswered, with the same bytes.
/// </summary>
internal sealed class PlaneConnection(
    ConnectionRow row,
    PlaneLink link,
    PlaneStores stores,
    RelayIdentity identity,
    Database database,
    ServerLife life,
    RelayConnections connections
)
{
    private const int MostAnswers = 64;

    /// <summary>The most unsent frames for a plane that reads too slowly. Beyond it the connection ends.</summary>
    private const int MostSaid = 1_000;
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BetweenLists = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Draining = TimeSpan.FromSeconds(2);

    private readonly AsyncSignal _toSend = new();
    private readonly AsyncSignal _wake = new();
    private readonly Channel<PlaneAnswer> _answers = Channel.CreateBounded<PlaneAnswer>(MostAnswers);
    private readonly Channel<FrameHead> _said = Channel.CreateBounded<FrameHead>(MostSaid);
    private readonly CancellationTokenSource _end = new();
    private readonly HolderFeed _feed = new(row.Plane, stores.Envelopes);
    private readonly PlaneGreeting _greeting = new(row, stores, identity, database);
    private RelayPlane _plane = null!;
    private P256PublicKey[] _keys = [];
    private bool _isHolder;
    private bool _isLeaving;
    private long _heldAt;
    private long _renewedAt;

    public PlaneLink Link => link;

    /// <summary>Runs the connection from its first frame to its end.</summary>
    /// <param name="plane">As it was when the connection was let in.</param>
    /// <param name="nonce">Of the handshake.</param>
    public async Task RunAsync(RelayPlane plane, string nonce)
    {
        // The request that opened the connection may be cancelled; the connection still ends in order.
        StorageUse.Begin(new StorageUse(Asker.Loop));
        SetPlane(plane);
        RelayMeter.Connected(row.Transport, 1);
        using var stored = database.Changes.Listen(RelayTopics.Of(row.Plane), _toSend.Set);
        using var stopping = life.Stopping.Register(_wake.Set);
        using var changed = database.Changes.Listen(RelayTopics.OfConnections(row.Plane), _wake.Set);
        try
        {
            _isHolder = await AcquireLeaseAsync();
            await SendAsync(new Frame(await _greeting.ReadyAsync(plane, nonce, _isHolder, connections.Retention)));
            Task[] loops =
            [
                UntilEndAsync(ReceiveAsync),
                UntilEndAsync(SettleAsync),
                UntilEndAsync(PumpAsync),
                UntilEndAsync(LiveAsync),
            ];
            await Task.WhenAll(loops);
        }
        catch (Exception fault) when (PlaneLink.IsCut(fault))
        {
            // The other side ended before it was greeted.
        }
        finally
        {
            await _end.CancelAsync();
            RelayMeter.Connected(row.Transport, -1);
            await link.CloseAsync(1001, "");
            await connections.EndAsync(row);
        }
    }

    /// <summary>It ends with the other loops, even when this fails.</summary>
    private async Task UntilEndAsync(Func<CancellationToken, Task> loop)
    {
        try
        {
            await loop(_end.Token);
        }
        catch (Exception fault) when (PlaneLink.IsCut(fault))
        {
            // The link broke, or another loop has ended it.
        }
        catch (Exception fault)
        {
            connections.Failed(row, fault);
        }
        finally
        {
            await _end.CancelAsync();
        }
    }

    // Receiving.

    private async Task ReceiveAsync(CancellationToken stop)
    {
        // Frames behind a refused one are ignored until the other side has closed too.
        while (await link.ReceiveAsync(stop) is { } bytes)
            if (!stop.IsCancellationRequested && !await TakeAsync(bytes, stop))
                await _end.CancelAsync();
    }

    /// <summary>Returns false when the connection ends.</summary>
    private async Task<bool> TakeAsync(ReadOnlyMemory<byte> bytes, CancellationToken stop)
    {
        var read = Frame.Read(bytes, RelaySignature.ToRelay, _keys);
        if (read.Fault == FrameFault.BadSignature && await stores.Planes.FindAsync(row.Plane) is { } plane)
        {
            // The plane may have got other keys in the meantime.
            SetPlane(plane);
            read = Frame.Read(bytes, RelaySignature.ToRelay, _keys);
        }
        if (!read.Try(out var frame, out var fault))
        {
            var code = fault == FrameFault.TooLarge ? CloseCode.TooLarge : CloseCode.Protocol;
            return await RefuseAsync(code, fault.ToString());
        }
        return frame.Head switch
        {
            AnswerHead answer => await AnswerAsync(answer, frame.Body, stop),
            DoorsHead or PageHead or PageEndHead => await KeepAsync(frame, stop),
            ByeHead => await LeaveAsync(),
            UnknownHead unknown => connections.PassOver(unknown.Kind),
            _ => true,
        };
    }

    private async Task<bool> AnswerAsync(AnswerHead head, ReadOnlyMemory<byte> body, CancellationToken stop)
    {
        var keys = await identity.KeysAsync();
        if (head.Plane != row.Plane || head.Relay != keys.Relay || !head.IsSound)
            return await RefuseAsync(CloseCode.Protocol, "answer_of_another");
        await _answers.Writer.WriteAsync(new PlaneAnswer(head, body.ToArray()), stop);
        return true;
    }

    private async Task<bool> KeepAsync(Frame frame, CancellationToken stop)
    {
        if (await stores.Told.TakeAsync(row.Plane, frame) is not { } kept)
            return await RefuseAsync(CloseCode.Protocol, PlaneTold.Malformed(frame.Head));
        Say(kept);
        // A list is large: a plane that sends nothing but lists must not take the disk from the others.
        if (frame.Head is DoorsHead)
            await Task.Delay(BetweenLists, life.Clock, stop);
        return true;
    }

    /// <summary>The connection ends soon, so new envelopes go to another one.</summary>
    private async Task<bool> LeaveAsync()
    {
        _isLeaving = true;
        await stores.Connections.ReleaseAsync(row.Plane, row.Connection);
        return true;
    }

    private async Task<bool> RefuseAsync(int code, string why)
    {
        await connections.RefusedAsync(row, why);
        await link.CloseAsync(code, why);
        return false;
    }

    // Committing answers.

    private async Task SettleAsync(CancellationToken stop)
    {
        var batch = new List<PlaneAnswer>();
        while (await _answers.Reader.WaitToReadAsync(stop))
        {
            batch.Clear();
            while (batch.Count < MostAnswers && _answers.Reader.TryRead(out var answer))
                batch.Add(answer);
            var settled = await UntilWrittenAsync(() => stores.Envelopes.SettleAsync(row.Plane, batch), stop);
            foreach (var one in settled)
                _feed.Done(one.Seq);
            var ids = settled.Where(s => s.State == EnvelopeState.Answered).Select(s => s.Id).ToList();
            if (ids.Count > 0)
                Say(new SettledHead(ids));
            foreach (var gone in settled.Where(s => s.State != EnvelopeState.Answered))
                Say(new GoneHead(gone.Id, gone.Seq, gone.State));
            _toSend.Set();
        }
    }

    private async Task<T> UntilWrittenAsync<T>(Func<Task<T>> write, CancellationToken stop)
    {
        while (true)
        {
            try
            {
                return await write();
            }
            catch (StorageUnavailableException)
            {
                await Task.Delay(PollInterval, life.Clock, stop);
            }
        }
    }

    // Sending.

    /// <summary>
    /// Sends a frame, or ends the connection of a plane that does not read; the next connection sends it again.
    /// </summary>
    private void Say(FrameHead head)
    {
        if (!_said.Writer.TryWrite(head))
            _end.Cancel();
    }

    private async Task PumpAsync(CancellationToken stop)
    {
        var pingedAt = life.Clock.GetTimestamp();
        while (true)
        {
            // This also runs between envelopes, because it tells how many wait.
            if (life.Clock.GetElapsedTime(pingedAt) >= RelayLimits.Ping)
            {
                pingedAt = life.Clock.GetTimestamp();
                Say(await _greeting.PingAsync());
            }
            var sent = await SayAllAsync(stop);
            try
            {
                if (_isHolder && !_isLeaving)
                    sent |= await OfferAsync(stop);
            }
            catch (StorageUnavailableException)
            {
                // The envelope is offered again when the database is back.
            }
            if (!sent)
                await _toSend.WaitAsync(PollInterval, life.Clock, stop);
        }
    }

    private async Task<bool> SayAllAsync(CancellationToken stop)
    {
        var said = false;
        while (_said.Reader.TryRead(out var head))
        {
            await SendAsync(new Frame(head), stop);
            said = true;
        }
        return said;
    }

    private async Task SendAsync(Frame frame, CancellationToken stop = default)
    {
        var keys = await identity.KeysAsync();
        await link.SendAsync(frame.Encode(keys.Current, RelaySignature.ToPlane), stop);
    }

    private async Task<bool> OfferAsync(CancellationToken stop)
    {
        var sent = await TellGoneAsync(stop);
        await _feed.LoadAsync();
        while (_isHolder && await _feed.NextAsync() is { } frame)
        {
            await link.SendAsync(frame, stop);
            sent = true;
            await SayAllAsync(stop);
        }
        return sent;
    }

    /// <summary>Tells the plane which envelopes will never come, so that it does not miss them.</summary>
    private async Task<bool> TellGoneAsync(CancellationToken stop)
    {
        var gone = await _feed.GoneAsync();
        if (gone.Count == 0)
            return false;
        foreach (var one in gone)
            await SendAsync(new Frame(new GoneHead(one.Id, one.Seq, one.State)), stop);
        await _feed.MarkReportedAsync(gone);
        return true;
    }

    // Watching.

    private async Task LiveAsync(CancellationToken stop)
    {
        while (true)
        {
            if (life.Stopping.IsCancellationRequested)
            {
                await DrainAsync();
                return;
            }
            if (link.Silence > RelayLimits.Silence)
            {
                await link.CloseAsync(CloseCode.Silent, "nothing was heard for 30 s");
                return;
            }
            try
            {
                if (!await StaysAsync())
                    return;
            }
            catch (StorageUnavailableException)
            {
                if (database.Now - _heldAt > RelayPlaneStore.Lease)
                    _isHolder = false;
            }
            await _wake.WaitAsync(_isHolder ? RenewEvery : PollInterval, life.Clock, stop);
        }
    }

    /// <summary>Checks whether the connection is still wanted, and renews what it holds.</summary>
    private async Task<bool> StaysAsync()
    {
        var (isThere, isRevoked) = await stores.Connections.StateAsync(row.Plane, row.Connection);
        if (isRevoked)
        {
            await SendAsync(new Frame(new ByeHead(ByeHead.Revoked)), _end.Token);
            await link.CloseAsync(CloseCode.Revoked, "revoked");
            return false;
        }
        if (!isThere || !await RenewAsync())
        {
            await link.CloseAsync(CloseCode.Superseded, "the same node has connected anew");
            return false;
        }
        if (await stores.Planes.FindAsync(row.Plane) is not { } plane)
            return false;
        SetPlane(plane);
        // A standby tries to take over only when no connection holds the plane, because each try is a write.
        var isFree = _isHolder || plane.Holder is null || plane.HolderUntil < database.Now;
        var holds = !_isLeaving && isFree && await AcquireLeaseAsync();
        if (holds != _isHolder)
        {
            _feed.BeginAnew();
            _isHolder = holds;
            Say(new HolderHead(row.Connection, holds));
            _toSend.Set();
        }
        return true;
    }

    private async Task<bool> RenewAsync()
    {
        if (database.Now - _renewedAt < RenewEvery.TotalMicroseconds)
            return true;
        _renewedAt = database.Now;
        return await stores.Connections.RenewAsync(row.Plane, row.Connection);
    }

    private async Task<bool> AcquireLeaseAsync()
    {
        var holds = await stores.Planes.AcquireLeaseAsync(row.Plane, row.Connection);
        if (holds)
            _heldAt = database.Now;
        return holds;
    }

    /// <summary>The server stops. If it can, the plane opens another connection before this one ends.</summary>
    private async Task DrainAsync()
    {
        await LeaveAsync();
        await SendAsync(new Frame(new ByeHead(ByeHead.Draining, (int)Draining.TotalMilliseconds)));
        await Task.Delay(Draining, life.Clock, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private void SetPlane(RelayPlane plane)
    {
        if (_plane is not null && _plane.SignKey == plane.SignKey && _plane.OldSignUntil == plane.OldSignUntil)
            return;
        _plane = plane;
        _keys = PlaneCaller.KeysOf(plane, database.Now);
    }
}
