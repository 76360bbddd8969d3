using System.Collections.Concurrent;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Sends the questions to people to one relay, over the connection that holds the plane. A question is sent at once
/// when it is asked or ends, and again on each new connection until the relay has confirmed that it keeps it.
/// </summary>
internal sealed class PageSender(
    JoinedPlane plane,
    PlaneParts parts,
    Func<Frame, CancellationToken, Task> send,
    ILogger log
)
{
    /// <summary>The most questions that are sent and not yet confirmed.</summary>
    private const int Most = 32;
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SendAgain = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, long> _sent = new(StringComparer.Ordinal);
    private readonly AsyncSignal _wake = new();

    /// <summary>Runs until the connection ends.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var changed = parts.Database.Changes.Listen(PageStore.Topic, _wake.Set);
        var isMissing = true;
        var isFailing = false;
        while (true)
        {
            try
            {
                if (isMissing)
                    await parts.Pages.AddMissingAsync(plane.Plane, stop);
                isMissing = false;
                await SendDueAsync(stop);
                isFailing = false;
            }
            catch (Exception fault) when (!stop.IsCancellationRequested)
            {
                // Nothing is lost: it is read again. Logged once, until it succeeds.
                if (!isFailing)
                    PlaneLog.PagesFailed(log, plane.Relay, fault);
                isFailing = true;
            }
            await _wake.WaitAsync(PollInterval, parts.Time, stop);
        }
    }

    /// <summary>The relay keeps a version of a page, or has no room for it.</summary>
    public async Task KeptAsync(KeptHead kept)
    {
        if (kept.Version > 0)
            await parts.Pages.Store.KeptAsync(plane.Plane, kept.What, kept.Version);
        else if (await parts.Pages.Store.RefusedAsync(plane.Plane, kept.What))
            await parts.Events.NoRoomAsync(plane, kept.What);
        // Wait for the confirmation here: until then the question is due and would be sent again.
        _sent.TryRemove(kept.What, out _);
        _wake.Set();
    }

    private async Task SendDueAsync(CancellationToken stop)
    {
        foreach (var page in await parts.Pages.Store.DueAsync(plane.Plane, Most))
        {
            if (_sent.TryGetValue(page.Page, out var at) && parts.Time.GetElapsedTime(at) < SendAgain)
                continue;
            if (await FrameOfAsync(page) is not { } frame)
                continue;
            _sent[page.Page] = parts.Time.GetTimestamp();
            try
            {
                await send(frame, stop);
            }
            catch (Exception)
            {
                _sent.TryRemove(page.Page, out _);
                throw;
            }
        }
    }

    /// <summary>A question that cannot be sealed is left for later, so that it does not hold up all others.</summary>
    private async Task<Frame?> FrameOfAsync(JoinedPage page)
    {
        try
        {
            return await parts.Pages.FrameOfAsync(plane.Plane, page);
        }
        catch (Exception fault) when (fault is not (OperationCanceledException or StorageUnavailableException))
        {
            PlaneLog.PageFailed(log, page.Approval, fault);
            await parts.Pages.Store.RefusedAsync(plane.Plane, page.Page);
            return null;
        }
    }
}
