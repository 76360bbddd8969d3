using System.Security.Cryptography;
using System.Threading.Channels;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Runs one connection to a relay. The relay is trusted only for what the pinned key has signed, and only in its own
/// role: each request that it hands over is judged by its door. A frame that no honest relay would send ends the
/// connection and is written to the audit.
/// </summary>
internal sealed class PlaneSession(
    JoinedPlane plane,
    IRelayTransport transport,
    PlaneParts parts,
    PlaneStanding standing,
    PlaneClock clock
)
{
    /// <summary>Frames that have arrived and wait, and those that are taken together.</summary>
    private const int Most = 64;

    private readonly Channel<FrameRead> _arrived = Channel.CreateBounded<FrameRead>(Most);
    private readonly EnvelopeIntake _intake = new(plane, parts, clock);
    private readonly TaskCompletionSource _drains = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim _doors = new(1);
    private long _sentAt = parts.Time.GetTimestamp();
    private long _pings;
    private long _doorsAtRelay;
    private long _checked = plane.CheckedSeq;
    private bool _holds;
    private PageSender? _pages;
    private Task _telling = Task.CompletedTask;

    /// <summary>Why this side gave up the connection.</summary>
    private volatile string? _lost;

    /// <summary>Set when the relay asks for another connection in place of this one.</summary>
    public Task Drains => _drains.Task;

    public bool IsReady { get; private set; }

    /// <summary>Runs until the connection ends.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var beats = BeatAsync(ends);
        var arrives = ReceiveAsync(ends.Token);
        try
        {
            while (await _arrived.Reader.WaitToReadAsync(ends.Token))
                if (!await TakeAsync(Next(), ends.Token))
                    return;
        }
        catch (OperationCanceledException ended) when (!stop.IsCancellationRequested && _lost is not null)
        {
            throw new IOException(_lost, ended);
        }
        finally
        {
            await ends.CancelAsync();
            await arrives;
            await beats;
            await _telling;
        }
    }

    public async Task SayByeAsync()
    {
        await SendAsync(new ByeHead(ByeHead.Stopping), CancellationToken.None)
            .WaitAsync(TimeSpan.FromSeconds(2), parts.Time)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await transport.CloseAsync(1000, "stopping");
    }

    /// <summary>
    /// Sends the list of doors when the relay has another version and this node answers for the plane.
    /// </summary>
    public async Task TellDoorsAsync(CancellationToken cancel)
    {
        if (!_holds)
            return;
        await _doors.WaitAsync(cancel);
        try
        {
            var body = DoorsHead.BodyOf(await parts.Doors.ListAsync());
            var digest = Convert.ToHexStringLower(SHA256.HashData(body));
            var version = await parts.Store.VersionOfDoorsAsync(plane.Relay, digest);
            if (version == _doorsAtRelay)
                return;
            await SendAsync(new Frame(new DoorsHead(version), body), cancel);
            _doorsAtRelay = version;
        }
        finally
        {
            _doors.Release();
        }
    }

    private P256PublicKey[] RelayKeys => plane.NextRelayKey is { } next ? [plane.RelayKey, next] : [plane.RelayKey];

    /// <summary>Reads frames while those before them are taken. What ends it is met by who takes them.</summary>
    private async Task ReceiveAsync(CancellationToken cancel)
    {
        try
        {
            while (await transport.ReceiveAsync(cancel) is { } bytes)
            {
                PlaneMeter.Frame("down");
                await _arrived.Writer.WriteAsync(Frame.Read(bytes, RelaySignature.ToPlane, RelayKeys), cancel);
            }
            _arrived.Writer.Complete();
        }
        catch (Exception fault)
        {
            _arrived.Writer.Complete(fault);
        }
    }

    /// <summary>The next frame that has arrived; envelopes, and words of what is settled, that come together.</summary>
    private List<FrameRead> Next()
    {
        var together = new List<FrameRead>();
        while (_arrived.Reader.TryPeek(out var next) && (together.Count == 0 || GoesWith(together, next)))
            if (_arrived.Reader.TryRead(out next))
                together.Add(next);
        return together;
    }

    private static bool GoesWith(List<FrameRead> together, FrameRead next) =>
        together.Count < Most
        && next.Frame?.Head is EnvelopeHead or SettledHead
        && next.Frame.Head.GetType() == together[0].Frame?.Head.GetType();

    private async Task<bool> TakeAsync(List<FrameRead> together, CancellationToken cancel)
    {
        if (!together[0].Try(out var frame, out var fault))
            return await DistrustAsync($"a frame that is {fault}");
        if (!IsReady)
            return await TakeFirstAsync(frame.Head, cancel);
        switch (frame.Head)
        {
            case EnvelopeHead:
                var wrong = await _intake.TakeAsync([.. together.Select(t => t.Frame!)], AnswerAsync);
                return wrong is null || await DistrustAsync(wrong.Value.What, wrong.Value.Code);
            case SettledHead:
                var ids = together.SelectMany(t => ((SettledHead)t.Frame!.Head).Ids);
                await parts.Envelopes.SettleAsync(plane.Relay, [.. ids]);
                return true;
            default:
                return await TakeAsync(frame.Head, cancel);
        }
    }

    private async Task<bool> TakeFirstAsync(FrameHead head, CancellationToken cancel) =>
        head is ReadyHead ready
            ? await BeginAsync(ready, cancel)
            : await DistrustAsync("a first frame that is not ready");

    private async Task<bool> TakeAsync(FrameHead head, CancellationToken cancel)
    {
        switch (head)
        {
            case ReadyHead:
                return await DistrustAsync("ready for the second time");
            case HolderHead { Holder: true }:
                await HoldAsync(cancel);
                return true;
            case GoneHead gone:
                await parts.Envelopes.GoneAsync(plane.Relay, gone);
                return true;
            case KeptHead { What: KeptHead.DoorsList } kept:
                await KeptAsync(kept.Version, cancel);
                return true;
            case KeptHead kept when _pages is not null:
                await _pages.KeptAsync(kept);
                return true;
            case PingHead ping:
                clock.Learn(ping.Time);
                await StoredAsync(ping.Backlog, ping.Quota);
                return true;
            case ByeHead bye:
                return !await EndsAsync(bye);
            default:
                return true;
        }
    }

    /// <summary>
    /// Checks that the relay's first frame is signed by the pinned key, for this plane and this handshake.
    /// </summary>
    private async Task<bool> BeginAsync(ReadyHead ready, CancellationToken cancel)
    {
        if (ready.Relay != plane.Relay || ready.Plane != plane.Plane || !transport.Sent(ready.Nonce))
            return await DistrustAsync("a ready of another handshake");
        if (
            ready.MaxAgeSeconds is < 60 or > 31 * 24 * 3600
            || ready.Open.First < 1
            || ready.Open.Next < ready.Open.First
        )
            return await DistrustAsync("a ready with numbers that cannot be");
        IsReady = true;
        clock.Learn(ready.Time);
        _doorsAtRelay = ready.Doors;
        _intake.HeldFor = ready.MaxAgeSeconds * 1_000_000;
        await parts.Store.HoldsForAsync(plane.Relay, _intake.HeldFor);
        if (ready.NextKey is { } next && P256PublicKey.TryParse(next) is not null && next != plane.RelayKey.Text)
            await parts.Store.PinNextAsync(plane.Relay, next);
        await parts.Store.DoorsAreAboveAsync(plane.Relay, ready.Doors);
        // The relay lets this server in, so an earlier refusal no longer counts.
        await parts.Store.StandAsync(plane.Relay, JoinedPlane.Joined);
        standing.Connected(transport.Name, ready, parts.Database.Now);
        PlaneMeter.Connected(transport.Name);
        await parts.Events.ConnectedAsync(plane, transport.Name, standing);
        await CheckNumbersAsync(ready.Open.First);
        await AnswerAgainAsync(cancel);
        if (ready.Holder)
            await HoldAsync(cancel);
        return true;
    }

    private async Task HoldAsync(CancellationToken cancel)
    {
        _holds = true;
        standing.TakesOver();
        await StoredAsync(standing.Backlog, standing.Quota);
        await TellDoorsAsync(cancel);
        if (_pages is not null)
            return;
        _pages = new PageSender(plane, parts, SendAsync, parts.Events.Log);
        _telling = TellPagesAsync(_pages, cancel);
    }

    private async Task TellPagesAsync(PageSender pages, CancellationToken cancel)
    {
        try
        {
            await pages.RunAsync(cancel);
        }
        catch (Exception) when (cancel.IsCancellationRequested)
        {
            // The connection has ended; the next one sends what is not confirmed.
        }
    }

    /// <summary>
    /// Reports how full the relay's backlog of unanswered requests is. Only the node that answers reports it.
    /// </summary>
    private async Task StoredAsync(BacklogSize? backlog, BacklogQuota? quota)
    {
        if (backlog is null || quota is null || !_holds || !standing.HasStored(backlog, quota))
            return;
        await parts.Events.BacklogAsync(plane, $"{quota.Percent(backlog)} % full: {backlog.Envelopes} requests");
    }

    /// <summary>
    /// The relay has a higher version than this list: the database was restored from a backup. Number the list above
    /// it.
    /// </summary>
    private async Task KeptAsync(long version, CancellationToken cancel)
    {
        if (version <= _doorsAtRelay)
            return;
        await parts.Store.DoorsAreAboveAsync(plane.Relay, version);
        _doorsAtRelay = version;
        await TellDoorsAsync(cancel);
    }

    private async Task<bool> EndsAsync(ByeHead bye)
    {
        _drains.TrySetResult();
        if (bye.Reason == ByeHead.Draining)
            return false;
        if (bye.Reason == ByeHead.Revoked)
            await parts.Store.StandAsync(plane.Relay, JoinedPlane.Revoked);
        return true;
    }

    /// <summary>Sends a committed answer. If that fails now, the next connection sends it.</summary>
    private async Task AnswerAsync(EnvelopeHead head, PlaneAnswer answer)
    {
        standing.HasAnswered();
        PlaneMeter.Answered(TimeSpan.FromMicroseconds(parts.Database.Now - clock.Here(head.ReceivedAt)));
        await AnswerAsync(head.Id, head.Seq, answer, CancellationToken.None)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private Task AnswerAsync(string id, long seq, PlaneAnswer answer, CancellationToken cancel) =>
        SendAsync(
            new Frame(new AnswerHead(plane.Relay, plane.Plane, id, seq, answer.Status, answer.Headers), answer.Body),
            cancel
        );

    private async Task AnswerAgainAsync(CancellationToken cancel)
    {
        for (var after = 0L; ; )
        {
            var page = await parts.Envelopes.UnsettledAsync(plane.Relay, after);
            foreach (var (id, seq, answer) in page)
                await AnswerAsync(id, seq, answer, cancel);
            if (page.Count == 0)
                return;
            after = page[^1].Seq;
        }
    }

    /// <summary>Every number before the first open one has arrived here, or was reported as gone.</summary>
    private async Task CheckNumbersAsync(long first)
    {
        if (first <= _checked)
            return;
        // This server has joined anew: what was open before was deleted at the relay.
        var missing = _checked == 0 ? 0 : await parts.Envelopes.MissingAsync(plane.Relay, _checked, first);
        if (missing > 0)
            await parts.Events.GapAsync(plane, "relay_gap", $"{missing} of {_checked} to {first - 1} never arrived");
        await parts.Store.CheckedAsync(plane.Relay, first);
        _checked = first;
    }

    private async Task BeatAsync(CancellationTokenSource ends)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), parts.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(ends.Token))
            {
                if (parts.Time.GetElapsedTime(transport.HeardAt) > RelayLimits.Silence)
                {
                    _lost = $"the relay was silent for {RelayLimits.Silence.TotalSeconds:0} seconds";
                    await transport.CloseAsync(CloseCode.Silent, "silent");
                    await ends.CancelAsync();
                    return;
                }
                if (parts.Time.GetElapsedTime(Interlocked.Read(ref _sentAt)) > RelayLimits.Ping)
                    await SendAsync(new PingHead(++_pings, clock.There), ends.Token);
            }
        }
        catch (OperationCanceledException) when (ends.IsCancellationRequested)
        {
            // The connection has ended.
        }
        catch (Exception fault)
        {
            // Without beats the relay would not see that this server lives. The next connection beats.
            _lost = fault.Message;
            await ends.CancelAsync();
        }
    }

    private Task SendAsync(FrameHead head, CancellationToken cancel) => SendAsync(new Frame(head), cancel);

    private async Task SendAsync(Frame frame, CancellationToken cancel)
    {
        await transport.SendAsync(frame.Encode(plane.Sign, RelaySignature.ToRelay), cancel);
        PlaneMeter.Frame("up");
        Interlocked.Exchange(ref _sentAt, parts.Time.GetTimestamp());
    }

    private async Task<bool> DistrustAsync(string what, string action = "relay_refused")
    {
        PlaneMeter.Refused();
        await parts.Events.DistrustedAsync(plane, action, what);
        await transport.CloseAsync(CloseCode.Protocol, "protocol");
        return false;
    }
}
