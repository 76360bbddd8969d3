using System.Text.Json.Serialization;
using Postern.Agents;
using Postern.Http;

namespace Postern.Dispatch;

internal sealed record AgentView(
    [Member("The agent's name in paths and scopes.")] string Slug,
    [Member("http, pull or echo.")] string Kind,
    [Member("The URL that an http agent is called at.")] string? Url,
    [Member("Runs under way at once; null: no bound.")] long? Concurrency,
    [Member("Seconds that a run without a turn stays live; null: the server's default.")] long? IdleSeconds,
    [Member("Seconds that runs may last; null: the server's defaults.")] AgentDeadlines Deadlines,
    [Member("How often a dispatch is tried.")] AgentRetry Retry,
    [Member("Whether it is given the links of questions.")] bool Links,
    [At("When a worker asked for its work last, to the minute. Of a pull agent that is read by itself.")]
        string? AskedAt,
    [At("When it was registered.")] string CreatedAt,
    [At("When it changed last.")] string UpdatedAt,
    [Member("Signs the calls. In the answer that made it, once.")]
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
        string? Secret
)
{
    public static AgentView Of(Agent a, string? secret, long? askedAt = null) =>
        new(
            a.Slug,
            a.Kind,
            a.Url,
            a.Settings.Concurrency,
            a.Settings.IdleSeconds,
            new AgentDeadlines(a.Settings.QueuedSeconds, a.Settings.TurnSeconds, a.Settings.TotalSeconds),
            new AgentRetry(a.Settings.MaxTries),
            a.Settings.Links == true,
            Wire.Iso(askedAt),
            Wire.Iso(a.CreatedAt),
            Wire.Iso(a.UpdatedAt),
            secret
        );
}
