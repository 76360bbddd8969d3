using Postern.Storage;

namespace Postern.Relay.Plane;

/// <summary>
/// Removes what relays have handed over once no repeat of it can come, the questions that were sent to them once no
/// answer can come, and nodes that are gone. Without a joined relay everything stays: it may be joined again.
/// </summary>
internal sealed class PlaneRetention(
    PlaneStore relays,
    EnvelopeStore envelopes,
    PageStore pages,
    PlaneNodes nodes,
    TimeProvider clock,
    ILogger<PlaneRetention> log
) : PollingLoop(clock, log)
{
    protected override async Task SweepAsync(CancellationToken stop)
    {
        if (await relays.LongestHeldForAsync() is not { } heldFor)
            return;
        await OneAsync("relay_envelope", () => InPiecesAsync(limit => envelopes.ForgetAsync(heldFor, limit), stop));
        await OneAsync("joined_page", () => InPiecesAsync(limit => pages.ForgetAsync(heldFor, limit), stop));
        await OneAsync("joined_node", nodes.ForgetAsync);
    }

    private static async Task InPiecesAsync(Func<int, Task<int>> forget, CancellationToken stop)
    {
        const int piece = 1000;
        while (!stop.IsCancellationRequested && await forget(piece) == piece) { }
    }
}
