using System.Text.Json;
using Postern.Http;

namespace Postern.Runs;

/// <summary>A definition as it was put, with its name and version; version 0 is built in.</summary>
internal sealed record WorkflowView(
    [Member("The workflow's name.")] string Name,
    [Member("Its version; 0 is built in.")] long Version,
    [At("When the version was made; null for a built-in one.")] string? CreatedAt,
    [Member("The state that runs begin in.")] string Initial,
    [Chosen("The states by their names, as they were put.")] JsonElement States,
    [Chosen("Artifacts that must be there before a state is reached.", "array")] JsonElement? Checkpoints,
    [Chosen("The names of artifacts, where they are fixed.")] JsonElement? Artifacts,
    [Chosen("Seconds that a run may be in a state, by its name.")] JsonElement? Deadlines
)
{
    public static WorkflowView Of(string name, long version, string text, long? createdAt)
    {
        var definition = JsonSerializer.Deserialize<JsonElement>(text, Wire.Json);
        return new WorkflowView(
            name,
            version,
            createdAt is > 0 ? Wire.Iso(createdAt) : null,
            definition.GetProperty("initial").GetString()!,
            definition.GetProperty("states"),
            Member("checkpoints"),
            Member("artifacts"),
            Member("deadlines")
        );

        JsonElement? Member(string member) => definition.TryGetProperty(member, out var value) ? value : null;
    }
}
