using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Dispatch;

internal sealed record TaskView(
    [Member("The task's id.")] string Id,
    [Member("The agent's slug.")] string Slug,
    [Member("A path made of the slug.")] string FilePath,
    [Member("AGENT.")] string TriggerSource,
    [At("When the agent was registered.")] string CreatedAt,
    [Member("Never given.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        JsonElement? PayloadSchema,
    [Member("Never given.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        JsonElement? QueueConfig
);
