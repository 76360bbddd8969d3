using Postern.Runs;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>Runs by their ids, or the beginnings of these.</summary>
internal sealed class RunFinds(RunStore runs, SessionDoor door)
{
    /// <summary>The page of the run; null where there is none for whoever asks.</summary>
    public async ValueTask<string?> PathAsync(PageContext context, string text) =>
        text.StartsWith(Run.Prefix + "_", StringComparison.Ordinal)
        && context.Caller.Allows("read", "runs", text)
        && await runs.FindAsync(context.Project, text) is { } run
        && !await door.HidesAsync(context.Caller, run.Session)
            ? context.Of("/runs", run.Id)
            : null;

    public async ValueTask<List<FoundThing>> BeginningWithAsync(PageContext context, string text, int most)
    {
        if (!context.Caller.Allows("read", "runs"))
            return [];
        var shown = SessionStore.ShownTo(context.MayAdmin, "run");
        var found = await runs.BeginningWithAsync(context.Project, text, shown, most);
        return [.. found.Select(run => new FoundThing("run", run.Id, context.Of("/runs", run.Id)))];
    }
}
