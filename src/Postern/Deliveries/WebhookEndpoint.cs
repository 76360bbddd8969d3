namespace Postern.Deliveries;

/// <summary>
/// A subscriber to events: where they go, which, and how they are signed. Its secrets are sealed under the master key,
/// bound to this row.
/// </summary>
/// <param name="Events">Types, or prefixes as in <c>run.*</c>; <c>*</c> is all.</param>
/// <param name="RateLimit">At most so many deliveries a second from one node.</param>
/// <param name="Links">It is sent the links of questions, which decide them.</param>
/// <param name="FailingSince">Since when nothing but failure has come back; null while it works.</param>
internal sealed record WebhookEndpoint(
    string Project,
    string Id,
    string Url,
    IReadOnlyList<string> Events,
    byte[] SealedSecret,
    byte[]? PreviousSealed,
    long? PreviousUntil,
    long? RateLimit,
    bool Ordered,
    bool Enabled,
    bool Links,
    string? DisabledReason,
    long? FailingSince,
    long CreatedAt,
    long UpdatedAt
)
{
    public static string SealPurpose(string project, string id) => $"endpoint:{project}:{id}";

    public bool Takes(string type) =>
        Events.Any(e =>
            e == "*"
            || e == type
            || (
                e.EndsWith(".*", StringComparison.Ordinal)
                && type.StartsWith(e.AsSpan(0, e.Length - 1), StringComparison.Ordinal)
            )
        );
}
