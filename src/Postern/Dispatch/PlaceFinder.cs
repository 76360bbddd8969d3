using Postern.Agents;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>
/// Finds places at agents for runs that were passed over (<see cref="AgentPlaces"/>): some agents a look, one after
/// another, and writes only where there is a place.
/// </summary>
internal sealed class PlaceFinder(Database database)
{
    private const int AgentsALook = 256;
    private const int WakesAtOnce = 256;
    private AgentName _after = new("", "");

    /// <summary>Looks at the agents after the last look's; behind the last one it begins anew.</summary>
    public async Task LookAsync()
    {
        for (var look = 0; look < AgentsALook; look++)
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
            // Without a bound, or without its agent, none has anything to wait for.
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
