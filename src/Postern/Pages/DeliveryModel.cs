using Postern.Deliveries;

namespace Postern.Pages;

/// <summary>One delivery with its attempts, oldest first.</summary>
/// <param name="Body">What is sent; null where it is made when it is sent, or is not for the one who looks.</param>
internal sealed record DeliveryModel(
    Delivery Delivery,
    IReadOnlyList<(long Number, Attempt Attempt)> Attempts,
    byte[]? Body
);
