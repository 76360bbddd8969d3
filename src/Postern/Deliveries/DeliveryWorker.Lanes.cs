using Postern.Storage;

namespace Postern.Deliveries;

/// <content>Lanes: each endpoint's deliveries wait only for that endpoint.</content>
internal sealed partial class DeliveryWorker
{
    /// <summary>Starts every delivery that has a place.</summary>
    private void Pump()
    {
        lock (_gate)
        {
            foreach (var lane in _lanes.Values)
                PumpLane(lane);
        }
    }

    /// <summary>
    /// Returns until when this node sends nothing to an endpoint, because its last requests failed; null when it sends.
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
