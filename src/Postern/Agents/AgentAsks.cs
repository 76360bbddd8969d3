using System.Collections.Concurrent;
using Postern.Storage;

namespace Postern.Agents;

/// <summary>
/// Records when a worker last asked for work of an agent, to the minute, for explanations of why nothing is done. Each
/// node writes it at most once a minute for an agent.
/// </summary>
internal sealed class AgentAsks(Database database)
{
    private const long Minute = 60_000_000;

    /// <summary>The minute that was written last, by agent.</summary>
    private readonly ConcurrentDictionary<(string Project, string Agent), long> _written = new();

    public async ValueTask AskedAsync(Agent agent)
    {
        var minute = database.Now / Minute;
        if (_written.TryGetValue((agent.Project, agent.Slug), out var last) && last == minute)
            return;
        await database.WriteAsync(tx =>
            tx.ExecuteAsync(
                """
                INSERT INTO agent_asked (project, agent, at) VALUES ($1, $2, $3)
                ON CONFLICT (project, agent) DO UPDATE SET at = excluded.at WHERE agent_asked.at < excluded.at
                """,
                agent.Project,
                agent.Slug,
                minute * Minute
            )
        );
        _written[(agent.Project, agent.Slug)] = minute;
    }

    /// <summary>
    /// Returns the beginning of that minute, in microseconds since 1970, or null when no worker ever asked.
    /// </summary>
    public static ValueTask<long?> LastAsync(Tx tx, string project, string agent) =>
        tx.FirstAsync(
            "SELECT at FROM agent_asked WHERE project = $1 AND agent = $2",
            r => (long?)r.GetInt64(0),
            project,
            agent
        );

    public static ValueTask<int> ForgetAsync(Tx tx, string project, string agent) =>
        tx.ExecuteAsync("DELETE FROM agent_asked WHERE project = $1 AND agent = $2", project, agent);
}
