using System.Text.Json;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// A subscriber to events: its URL, its types, its signing secrets. The secrets are sealed under the master key, bound
/// to this row.
/// </summary>
internal sealed record WebhookEndpoint
{
    [Column("project")]
    public required string Project { get; init; }

    [Column("id")]
    public required string Id { get; init; }

    [Column("url")]
    public required string Url { get; init; }

    /// <summary>Types, or prefixes as in <c>run.*</c>; <c>*</c> is all.</summary>
    public required IReadOnlyList<string> Events { get; init; }

    [Column("events")]
    public string EventsJson
    {
        get => JsonSerializer.Serialize(Events);
        init => Events = JsonSerializer.Deserialize<string[]>(value) ?? [];
    }

    [Column("sealed_secret")]
    public required byte[] SealedSecret { get; init; }

    [Column("previous_sealed")]
    public byte[]? PreviousSealed { get; init; }

    [Column("previous_until")]
    public long? PreviousUntil { get; init; }

    /// <summary>The most deliveries in a second from one node.</summary>
    [Column("rate_limit")]
    public long? RateLimit { get; init; }

    [Column("ordered")]
    public required bool Ordered { get; init; }

    [Column("enabled")]
    public required bool Enabled { get; init; }

    /// <summary>Whether it gets the links of questions, which decide them.</summary>
    [Column("links")]
    public required bool Links { get; init; }

    [Column("disabled_reason")]
    public string? DisabledReason { get; init; }

    /// <summary>Since when every attempt fails; null while it works.</summary>
    [Column("failing_since")]
    public long? FailingSince { get; init; }

    /// <summary>When its secret was set; null when an older version did it.</summary>
    [Column("secret_at")]
    public long? SecretAt { get; init; }

    [Column("created_at")]
    public required long CreatedAt { get; init; }

    [Column("updated_at")]
    public required long UpdatedAt { get; init; }

    public static string SealPurpose(string project, string id) => $"endpoint:{project}:{id}";

    public bool SubscribesTo(string type) =>
        Events.Any(e =>
            e == "*"
            || e == type
            || (
                e.EndsWith(".*", StringComparison.Ordinal)
                && type.StartsWith(e.AsSpan(0, e.Length - 1), StringComparison.Ordinal)
            )
        );
}
