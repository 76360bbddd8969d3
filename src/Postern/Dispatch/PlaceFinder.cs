using Postern.Agents;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// Finds places for waiting runs that were missed (<see cref="AgentPlaces"/>). Each poll reads some agents, one after
/// another, and writes only when there is a place.
/// </summary>
internal sealed class PlaceFinder(Database database)
{
    private const int AgentsAtOnce = 256;
    private const int WakesAtOnce = 256;
    private AgentName _after = new("", "");

    /// <summary>Reads the agents after those of the last poll; after the last agent it begins again.</summary>
    public async Task PollAsync()
    {
        for (var tried = 0; tried < AgentsAtOnce; tried++)
        {
            var next = await database.ReadAsync(tx => AgentPlaces.NextAgentAsync(tx, _after));
            _after = next ?? new AgentName("", "");
            if (next is not { } name)
                return;
            await WakeAsync(name, ofSession: true);
            await WakeAsync(name, ofSession: false);
        }
    }

    private async Task WakeAsync(AgentName name, bool ofSession)
    {
        var places = await database.ReadAsync(async tx =>
        {
            if (!await AgentPlaces.IsWaitedForAsync(tx, name, ofSession))
                return 0;
            // Without a limit or without its agent, no run waits for a place.
            if ((await AgentStore.FindAsync(tx, name.Project, name.Agent))?.Settings.Concurrency is not { } most)
                return WakesAtOnce;
            var taken = ofSession
                ? await SessionStore.OpenTurnsAsync(tx, name.Project, name.Agent)
                : await AgentPlaces.TakenAsync(tx, name.Project, name.Agent);
            return most - taken;
        });
        if (places > 0)
            await database.WriteAsync(tx =>
                AgentPlaces.FreeAsync(tx, name.Project, name.Agent, ofSession, Math.Min(places, WakesAtOnce))
            );
    }
}
