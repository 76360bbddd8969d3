using Postern.Http;

namespace Postern.Deliveries;

internal sealed record SentTest([Member("The delivery of the test event.")] string DeliveryId);
