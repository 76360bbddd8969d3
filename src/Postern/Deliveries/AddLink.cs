namespace Postern.Deliveries;

/// <summary>
/// Adds the link of its question to an event's body, for an endpoint that may have links. It runs when the event is
/// sent, so no link is stored.
/// </summary>
internal delegate ValueTask<byte[]> AddLink(Delivery delivery);
