using System.Text.Json;
using Postern.Http;
using Postern.Runs;

namespace Postern.Dispatch;

internal sealed record DispatchedRun(
    [Member("The run's id.")] string Id,
    [Member("The attempt that this is.")] long Attempt,
    [Member("The agent's slug.")] string Agent,
    [Member("The workflow that the run goes along.")] string Workflow,
    [Member("The state of its workflow.")] string Status,
    [Member("What the agent is given; left out when it is large.", MayBeAbsent = true)] JsonElement? Input,
    [Member("Where the run is read with its input, when that is large.", MayBeAbsent = true)] string? InputUrl,
    [Chosen("The artifacts by their names, unless they are large.", MayBeAbsent = true)] JsonElement? Artifacts,
    [Member("The word that a retry gave.", MayBeAbsent = true)] string? Profile,
    [At("When the attempt, or its turn, is ended.")] string Deadline
);
