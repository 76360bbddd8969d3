using System.Text.Json.Serialization;
using Postern.Agents;
using Postern.Http;

namespace Postern.Dispatch;

internal sealed record AgentView
{
    [Member("The agent's name in paths and scopes.")]
    public required string Slug { get; init; }

    [Member("http, pull or echo.")]
    public required string Kind { get; init; }

    [Member("The URL that an http agent is called at.")]
    public required string? Url { get; init; }

    [Member("Runs under way at once; null: no bound.")]
    public required long? Concurrency { get; init; }

    [Member("Seconds that a run without a turn stays live; null: the server's default.")]
    public required long? IdleSeconds { get; init; }

    [Member("Seconds that runs may last; null: the server's defaults.")]
    public required AgentDeadlines Deadlines { get; init; }

    [Member("How often a dispatch is tried.")]
    public required AgentRetry Retry { get; init; }

    [Member("Whether it is given the links of questions.")]
    public required bool Links { get; init; }

    [At("When a worker asked for its work last, to the minute. Of a pull agent that is read by itself.")]
    public required string? AskedAt { get; init; }

    [At("When it was registered.")]
    public required string CreatedAt { get; init; }

    [At("When it changed last.")]
    public required string UpdatedAt { get; init; }

    [Member("Signs the calls. In the answer that made it, once.")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public required string? Secret { get; init; }

    public static AgentView Of(Agent a, string? secret, long? askedAt = null) =>
        new()
        {
            Slug = a.Slug,
            Kind = a.Kind,
            Url = a.Url,
            Concurrency = a.Settings.Concurrency,
            IdleSeconds = a.Settings.IdleSeconds,
            Deadlines = new AgentDeadlines(a.Settings.QueuedSeconds, a.Settings.TurnSeconds, a.Settings.TotalSeconds),
            Retry = new AgentRetry(a.Settings.MaxTries),
            Links = a.Settings.Links == true,
            AskedAt = Wire.Iso(askedAt),
            CreatedAt = Wire.Iso(a.CreatedAt),
            UpdatedAt = Wire.Iso(a.UpdatedAt),
            Secret = secret,
        };
}
