using Postern.Agents;
using Postern.Settings;

namespace Postern.Runs;

/// <summary>The initial values of a new run, from its agent's settings and the server's.</summary>
internal static class RunStart
{
    public static Run For(Agent agent, string id, PosternOptions options) =>
        new()
        {
            Project = agent.Project,
            Id = id,
            Agent = agent.Slug,
            Status = Phase.Queued,
            QueuedSeconds = agent.Settings.QueuedSeconds ?? options.Runs.QueuedSeconds,
            SilentSeconds = agent.Settings.TurnSeconds ?? options.Runs.TurnSeconds,
            TotalSeconds = agent.Settings.TotalSeconds ?? options.Runs.TotalSeconds,
            IdleSeconds = agent.Settings.IdleSeconds ?? options.Runs.IdleSeconds,
        };
}
