using Postern.Access;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Dispatch;

/// <summary>Reads runs, as far as the caller may see them.</summary>
internal sealed class RunReader(RunStore runs, SessionDoor door, WhyNotDone whys, Database database)
{
    /// <summary>Returns the run, or null when there is none or its session is hidden from the caller.</summary>
    public async ValueTask<Run?> FindAsync(ProjectCaller caller, string id) =>
        await runs.FindAsync(caller.Project, id) is { } run && !await door.HidesAsync(caller, run.Session) ? run : null;

    /// <summary>The same run as it is now.</summary>
    public async ValueTask<Run> ReloadAsync(Run run) => await runs.FindAsync(run.Project, run.Id) ?? run;

    public ValueTask<Listed<Run>> ListAsync(string project, RunFilter filter, int limit, CancellationToken cancel) =>
        runs.ListAsync(project, filter, limit, cancel);

    /// <summary>Returns why it has not ended, or null when it has.</summary>
    public ValueTask<Why?> WhyAsync(Run run) => database.ReadAsync(tx => whys.OfAsync(tx, run));
}
