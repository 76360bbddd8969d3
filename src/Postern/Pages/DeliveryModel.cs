using Postern.Deliveries;
using Postern.Http;

namespace Postern.Pages;

/// <summary>One delivery with its attempts, oldest first.</summary>
/// <param name="Body">What is sent, or its copy; null where there is none, or it is not for the one who looks.</param>
/// <param name="Why">Why it has not arrived; null once it has ended.</param>
internal sealed record DeliveryModel(
    Delivery Delivery,
    IReadOnlyList<(long Number, Attempt Attempt)> Attempts,
    byte[]? Body,
    Why? Why
);
