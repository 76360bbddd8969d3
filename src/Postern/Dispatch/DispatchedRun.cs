using System.Text.Json;
using Postern.Http;
using Postern.Runs;

namespace Postern.Dispatch;

internal sealed record DispatchedRun
{
    [Member("The run's id.")]
    public required string Id { get; init; }

    [Member("The attempt that this is.")]
    public required long Attempt { get; init; }

    [Member("The agent's slug.")]
    public required string Agent { get; init; }

    [Member("The workflow that the run goes along.")]
    public required string Workflow { get; init; }

    [Member("The state of its workflow.")]
    public required string Status { get; init; }

    [Member("What the agent is given; left out when it is large.", MayBeAbsent = true)]
    public required JsonElement? Input { get; init; }

    [Member("Where the run is read with its input, when that is large.", MayBeAbsent = true)]
    public required string? InputUrl { get; init; }

    [Chosen("The artifacts by their names, unless they are large.", MayBeAbsent = true)]
    public required JsonElement? Artifacts { get; init; }

    [Member("The word that a retry gave.", MayBeAbsent = true)]
    public required string? Profile { get; init; }

    [At("When the attempt, or its turn, is ended.")]
    public required string Deadline { get; init; }
}
