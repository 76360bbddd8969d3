namespace Postern.Deliveries;

/// <summary>
/// The body of an event for an endpoint that may have links: with the link of its question, if it has one. Made when it
/// is sent, so that no link is kept.
/// </summary>
internal delegate ValueTask<byte[]> AddLink(Delivery delivery);
