using Postern.Storage;

namespace Postern.Deliveries;

/// <content>Lanes: each endpoint's deliveries wait for that endpoint alone.</content>
internal sealed partial class DeliveryWorker
{
    /// <summary>Starts whatever has a place.</summary>
    private void Pump()
    {
        lock (_gate)
        {
            foreach (var lane in _lanes.Values)
                PumpLane(lane);
        }
    }

    /// <summary>
    /// Until when this node sends nothing to an endpoint, because what it sent failed one time after another; null when
    /// it does.
    /// </summary>
    public long? PausedUntil(string project, string endpoint)
    {
        lock (_gate)
            return _lanes.TryGetValue((project, endpoint), out var lane) && lane.IsOpen(Database.Now)
                ? lane.PausedUntil
                : null;
    }

    private void PumpLane(DeliveryLane lane)
    {
        while (
            !_stopping.IsCancellationRequested
            && _underWay < _options.Deliveries.Concurrency
            && lane.Start(Database.Now) is { } delivery
        )
        {
            _underWay++;
            _ = Task.Run(() => WorkAsync(delivery, lane), CancellationToken.None);
        }
    }

    private DeliveryLane LaneOf(Delivery delivery)
    {
        if (!_lanes.TryGetValue((delivery.Project, delivery.Endpoint), out var lane))
            _lanes[(delivery.Project, delivery.Endpoint)] = lane = new DeliveryLane(_options.Deliveries);
        return lane;
    }
}
