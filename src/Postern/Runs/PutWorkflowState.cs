using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record PutWorkflowState(
    [Word(
        "What the state means.",
        Runs.Phase.Queued,
        Runs.Phase.Running,
        Runs.Phase.Waiting,
        Runs.Phase.Paused,
        Runs.Phase.Succeeded,
        Runs.Phase.Failed,
        Runs.Phase.Cancelled,
        Runs.Phase.TimedOut
    )]
        string Phase,
    [Texts("The states that a report may move to from here.", PutWorkflow.MaxStates, PutWorkflow.MaxName)]
        IReadOnlyList<string> To,
    [Member("Whether a report may name the state that the run is in.")] bool? Self
);
