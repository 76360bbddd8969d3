using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record PutWorkflow(
    [Text("The state that runs begin in.", 1, PutWorkflow.MaxName)] string Initial,
    [Map("The states by their names.", PutWorkflow.MaxStates)] IReadOnlyDictionary<string, PutWorkflowState> States,
    [Items("Artifacts that must be there before a state is reached.", 0, PutWorkflow.MaxStates)]
        IReadOnlyList<Checkpoint>? Checkpoints,
    [Member("The names of artifacts, where they are fixed.")] PutArtifacts? Artifacts,
    [Map("Seconds that a run may be in a state, by its name.", PutWorkflow.MaxStates, Min = 1, Max = 2_592_000)]
        IReadOnlyDictionary<string, long>? Deadlines
)
{
    public const int MaxStates = 200;
    public const int MaxName = 64;
}
