using System.Collections.Concurrent;
using Postern.Relay.Protocol;
using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Tells a relay of the questions to people, over one connection, while that holds the plane: at once when one is asked
/// or ends, and again on the next connection until the relay has said that it keeps it.
/// </summary>
internal sealed class PageSender(
    JoinedPlane plane,
    PlaneParts parts,
    Func<Frame, CancellationToken, Task> send,
    ILogger log
)
{
    /// <summary>Sent and not yet kept: so many at once.</summary>
    private const int Most = 32;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SendAgain = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, long> _sent = new(StringComparer.Ordinal);
    private readonly AsyncSignal _toLook = new();

    /// <summary>Until the connection ends.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        using var changed = parts.Database.Changes.Listen(PageStore.Topic, _toLook.Set);
        var isMissing = true;
        while (true)
        {
            try
            {
                if (isMissing)
                    await parts.Pages.AddMissingAsync(plane.Plane, stop);
                isMissing = false;
                await SendDueAsync(stop);
            }
            catch (StorageUnavailableException)
            {
                // Nothing is lost: it is looked at again.
            }
            await _toLook.WaitAsync(LookEvery, parts.Time, stop);
        }
    }

    /// <summary>The relay keeps a version of a page, or has no room for it.</summary>
    public async Task KeptAsync(KeptHead kept)
    {
        if (kept.Version > 0)
            await parts.Pages.Store.KeptAsync(plane.Plane, kept.What, kept.Version);
        else if (await parts.Pages.Store.RefusedAsync(plane.Plane, kept.What))
            await parts.Events.NoRoomAsync(plane, kept.What);
        // Not before: it is due until then, and would be sent again.
        _sent.TryRemove(kept.What, out _);
        _toLook.Set();
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
            await send(frame, stop);
        }
    }

    /// <summary>One that cannot be made is left for later: it must not stand before all others.</summary>
    private async Task<Frame?> FrameOfAsync(JoinedPage page)
    {
        try
        {
            return await parts.Pages.FrameOfAsync(plane.Plane, page);
        }
        catch (Exception fault)
            when (fault is not (OperationCanceledException or StorageUnavailableException or OutOfMemoryException))
        {
            PlaneLog.PageFailed(log, page.Approval, fault);
            await parts.Pages.Store.RefusedAsync(plane.Plane, page.Page);
            return null;
        }
    }
}
