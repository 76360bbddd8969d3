namespace Postern.Deliveries;

/// <summary>What is to be sent, as the transaction that causes it says it.</summary>
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
