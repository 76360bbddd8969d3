namespace Postern.Runs;

/// <summary>A decided change of a run's state, with the values that are stored with it.</summary>
/// <param name="Type">The event's type in the timeline.</param>
/// <param name="To">A state of the run's workflow.</param>
internal sealed record Change(string Type, Actor By, string To)
{
    /// <summary>
    /// Overrides the phase that the workflow state implies. Set when the server ends the run, or when it waits for a
    /// person inside a workflow state.
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

    /// <summary>The notice for an agent that has the run and is called; null for none.</summary>
    public string? Notice { get; init; }
}
