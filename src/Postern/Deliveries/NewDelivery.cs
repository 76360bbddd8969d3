namespace Postern.Deliveries;

/// <summary>A new delivery, for the transaction that causes it.</summary>
internal sealed record NewDelivery(
    string Project,
    string Purpose,
    string Endpoint,
    string Subject,
    string Type,
    byte[]? Body,
    long GiveUpAt,
    string? Detail = null,
    bool Ordered = true
);
