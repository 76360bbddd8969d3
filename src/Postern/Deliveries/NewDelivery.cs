namespace Postern.Deliveries;

/// <summary>A delivery, as the transaction that causes it describes it.</summary>
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
