using Postern.Agents;
using Postern.Deliveries;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>The data that explains why some runs have not ended, read together.</summary>
/// <param name="Dispatches">Dispatches that are still to arrive, by run, with their last attempts.</param>
/// <param name="IdleUntil">Until when runs wait for their session's next message.</param>
/// <param name="Agents">Their agents, by slug.</param>
/// <param name="Asked">When a worker asked for work last, by slug.</param>
/// <param name="Turns">Where their sessions stand, by session.</param>
internal sealed record RunFacts(
    IReadOnlyDictionary<string, (Delivery Delivery, Attempt? Last)> Dispatches,
    IReadOnlyDictionary<string, long> IdleUntil,
    IReadOnlyDictionary<string, Agent> Agents,
    IReadOnlyDictionary<string, long?> Asked,
    IReadOnlyDictionary<string, SessionTurn> Turns
)
{
    /// <param name="tx">Where they are read.</param>
    /// <param name="runs">Of one project, at least one.</param>
    public static async ValueTask<RunFacts> ReadAsync(Tx tx, IReadOnlyList<Run> runs)
    {
        var project = runs[0].Project;
        string[] ids = [.. runs.Select(r => r.Id)];
        var agents = new Dictionary<string, Agent>(StringComparer.Ordinal);
        foreach (var slug in runs.Where(r => r.WaitsAt is not null).Select(r => r.Agent).Distinct())
            if (await AgentStore.FindAsync(tx, project, slug) is { } agent)
                agents[slug] = agent;
        var asked = new Dictionary<string, long?>(StringComparer.Ordinal);
        foreach (var slug in runs.Where(r => r.ClaimAt is not null).Select(r => r.Agent).Distinct())
            asked[slug] = await AgentAsks.LastAsync(tx, project, slug);
        return new RunFacts(
            await DeliveryQueries.PendingAboutAsync(tx, project, ids, AgentDispatch.PurposeName),
            await RunDue.IdleUntilAsync(tx, project, ids),
            agents,
            asked,
            await SessionQueries.TurnsAsync(tx, project, [.. runs.Select(r => r.Session).OfType<string>().Distinct()])
        );
    }
}
