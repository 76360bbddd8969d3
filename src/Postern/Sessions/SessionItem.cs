using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>A session as clients read it.</summary>
internal record SessionItem(
    [Member("The session's id.")] string Id,
    [Member("The client's own name of the session.")] string? ExternalId,
    [Member("The kind of session.")] string Type,
    [Member("The slug of the agent that answers.")] string TaskIdentifier,
    [Chosen("How runs of the session are started.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        JsonElement? TriggerConfig,
    [Member("The live run.")] string? CurrentRunId,
    [Chosen("Words to find the session by.", "array")] JsonElement Tags,
    [Chosen("The JSON object that is kept with the session.")] JsonElement? Metadata,
    [At("When it was closed.")] string? ClosedAt,
    [Member("Why it was closed.")] string? ClosedReason,
    [At("When it expires.")] string? ExpiresAt,
    [At("When it was made.")] string CreatedAt,
    [At("When it changed last.")] string UpdatedAt,
    [Word("Whether it takes messages.", "ACTIVE", "CLOSED", "EXPIRED")] string Status,
    [Member("Whether it is active without a live run.")] bool Idle,
    [Member("The key of its history: agent:{slug}:{name}.")] string Key
)
{
    public static SessionItem Of(Session s, long now) =>
        new(
            s.Id,
            s.ExternalId,
            s.Type,
            s.Agent,
            s.TriggerConfig is null ? null : Json(s.TriggerConfig),
            s.CurrentRun,
            Json(s.Tags),
            s.Metadata is null ? null : Json(s.Metadata),
            Wire.Iso(s.ClosedAt),
            s.ClosedReason,
            Wire.Iso(s.ExpiresAt),
            Wire.Iso(s.CreatedAt),
            Wire.Iso(s.UpdatedAt),
            s.Status(now),
            s.Status(now) == "ACTIVE" && s.CurrentRun is null,
            s.Key
        );

    private static JsonElement Json(string text) => JsonSerializer.Deserialize<JsonElement>(text, Wire.Json);
}
