using System.Text.Json;
using System.Text.Json.Serialization;
using Postern.Http;

namespace Postern.Sessions;

/// <summary>A session as clients read it.</summary>
internal record SessionItem
{
    [Member("The session's id.")]
    public required string Id { get; init; }

    [Member("The client's own name of the session.")]
    public required string? ExternalId { get; init; }

    [Member("The kind of session.")]
    public required string Type { get; init; }

    [Member("The slug of the agent that answers.")]
    public required string TaskIdentifier { get; init; }

    [Chosen("How runs of the session are started.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required JsonElement? TriggerConfig { get; init; }

    [Member("The live run.")]
    public required string? CurrentRunId { get; init; }

    [Chosen("Words to find the session by.", "array")]
    public required JsonElement Tags { get; init; }

    [Chosen("The JSON object that is kept with the session.")]
    public required JsonElement? Metadata { get; init; }

    [At("When it was closed.")]
    public required string? ClosedAt { get; init; }

    [Member("Why it was closed.")]
    public required string? ClosedReason { get; init; }

    [At("When it expires.")]
    public required string? ExpiresAt { get; init; }

    [At("When it was made.")]
    public required string CreatedAt { get; init; }

    [At("When it changed last.")]
    public required string UpdatedAt { get; init; }

    [Word("Whether it takes messages.", "ACTIVE", "CLOSED", "EXPIRED")]
    public required string Status { get; init; }

    [Member("Whether it is active without a live run.")]
    public required bool Idle { get; init; }

    [Member("The key of its history: agent:{slug}:{name}.")]
    public required string Key { get; init; }

    public static SessionItem Of(Session s, long now) =>
        new()
        {
            Id = s.Id,
            ExternalId = s.ExternalId,
            Type = s.Type,
            TaskIdentifier = s.Agent,
            TriggerConfig = s.TriggerConfig is null ? null : Json(s.TriggerConfig),
            CurrentRunId = s.CurrentRun,
            Tags = Json(s.Tags),
            Metadata = s.Metadata is null ? null : Json(s.Metadata),
            ClosedAt = Wire.Iso(s.ClosedAt),
            ClosedReason = s.ClosedReason,
            ExpiresAt = Wire.Iso(s.ExpiresAt),
            CreatedAt = Wire.Iso(s.CreatedAt),
            UpdatedAt = Wire.Iso(s.UpdatedAt),
            Status = s.Status(now),
            Idle = s.Status(now) == "ACTIVE" && s.CurrentRun is null,
            Key = s.Key,
        };

    private static JsonElement Json(string text) => JsonSerializer.Deserialize<JsonElement>(text, Wire.Json);
}
