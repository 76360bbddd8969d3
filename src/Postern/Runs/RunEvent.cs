using Postern.Storage;

namespace Postern.Runs;

/// <summary>One row of a run's timeline.</summary>
internal sealed record RunEvent
{
    [Column("seq")]
    public required long Seq { get; init; }

    [Column("type")]
    public required string Type { get; init; }

    /// <summary>When the server received it.</summary>
    [Column("at")]
    public required long At { get; init; }

    [Column("attempt")]
    public required long Attempt { get; init; }

    [Column]
    public required Actor By { get; init; }

    [Column("from_status")]
    public string? From { get; init; }

    [Column("to_status")]
    public string? To { get; init; }

    [Column("event_id")]
    public string? EventId { get; init; }

    [Column("correlation_id")]
    public string? CorrelationId { get; init; }

    /// <summary>When it happened, by the reporter's clock.</summary>
    [Column("occurred_at")]
    public long? OccurredAt { get; init; }

    /// <summary>False when it changed nothing; Code then says why.</summary>
    [Column("accepted")]
    public bool Accepted { get; init; } = true;

    [Column("code")]
    public string? Code { get; init; }

    /// <summary>A JSON object, or null.</summary>
    [Column("detail")]
    public string? Detail { get; init; }

    /// <summary>The digest of an accepted report's content, to recognise a repeat.</summary>
    public byte[]? Digest { get; init; }
}
