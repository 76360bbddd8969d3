using Postern.Http;

namespace Postern.Runs;

/// <param name="State">Where a retry may begin again.</param>
/// <param name="Artifact">The artifact that proves that the work up to there was done.</param>
[Strict]
internal sealed record Checkpoint(
    [Text("The state.", 1, PutWorkflow.MaxName)] string State,
    [Text("The artifact that must be there.", 1, 128)] string Artifact
);
