using Postern.Http;

namespace Postern.Runs;

[Strict]
internal sealed record PutWorkflow(
    [Text("The state that runs begin in.", 1, 64)] string Initial,
    [Member("The states by their names, at most 200.")] IReadOnlyDictionary<string, PutWorkflowState> States,
    [Items("Artifacts that must be there before a state is reached.", 0, 200)] IReadOnlyList<Checkpoint>? Checkpoints,
    [Member("The names of artifacts, where they are fixed.")] PutArtifacts? Artifacts,
    [Member("Seconds that a run may be in a state, by its name; 1 to 2592000.")]
        IReadOnlyDictionary<string, long>? Deadlines
);
