using System.Text.Json;

namespace Postern.Runs;

/// <summary>A report of a worker or an orchestrator about a run, with its syntax checked.</summary>
/// <param name="Status">The state that it reports.</param>
/// <param name="By">Who reports.</param>
/// <param name="Attempt">The attempt that it is of; null for the current one.</param>
internal sealed record Report(string Status, Actor By, long? Attempt)
{
    public string? EventId { get; init; }

    /// <summary>Microseconds; null: now.</summary>
    public long? OccurredAt { get; init; }

    public string? CorrelationId { get; init; }

    public string? ActorType { get; init; }

    public JsonElement? Artifacts { get; init; }

    public Failure? Failure { get; init; }

    public byte[]? Output { get; init; }

    public long? ProgressMillionths { get; init; }

    /// <summary>Whether it came with the attempt's own credential, which its worker has from the dispatch.</summary>
    public bool OfItsWorker { get; init; }

    /// <summary>The digest of its content; required with an <see cref="EventId"/>.</summary>
    public byte[]? Digest { get; init; }
}
