using Postern.Http;

namespace Postern.Deliveries;

[Strict]
internal sealed record ReplayDeliveries(
    [Text("An endpoint's id, or agent:{slug}, or url:{origin}. Not with purpose.", 1, 2100)] string? Endpoint,
    [Text("What the deliveries are for. Not with endpoint.", 1, 64)] string? Purpose,
    [Instant("What was made from then on.")] long Since,
    [Instant("What was made before then; now if left out.")] long? Until,
    [Word("Which are sent again.", Delivery.Dead, Delivery.Delivered, Default = "dead")] string Status
);
