namespace Postern.Runs;

/// <summary>A change of a run's state, decided; what it says beside the state is kept with it.</summary>
/// <param name="Type">The event's type in the timeline.</param>
/// <param name="To">A state of the run's workflow.</param>
internal sealed record Change(string Type, Actor By, string To)
{
    /// <summary>
    /// What the run is where that is not what its state means: ended by the server, or waiting for a person in a state
    /// of its workflow.
    /// </summary>
    public string? Phase { get; init; }

    public string? Reason { get; init; }

    public Failure? Failure { get; init; }

    public long? ProgressMillionths { get; init; }

    public long? OccurredAt { get; init; }

    public string? EventId { get; init; }

    public string? CorrelationId { get; init; }

    public byte[]? Digest { get; init; }

    public string? Detail { get; init; }

    /// <summary>What an agent that has the run and is called is told of it; null for nothing.</summary>
    public string? Notice { get; init; }
}
