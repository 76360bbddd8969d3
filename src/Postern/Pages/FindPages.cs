using Postern.Access;
using Postern.Http;
using Postern.Runs;
using Postern.Sessions;

namespace Postern.Pages;

/// <summary>
/// The find box: opens the named thing, or lists the things that begin with the text. Only what the caller may read;
/// other things look as if they did not exist.
/// </summary>
internal sealed class FindPages(
    PageWriter writer,
    RunStore runs,
    SessionStore sessions,
    SessionDoor door,
    ExactFinds exact,
    NamedFinds named,
    KeyFinds keys
) : IPages
{
    private const int Most = 20;
    public const int LeastCharacters = 6;

    public void Map(PageDoors pages) =>
        pages.Page("/find", "what each thing needs", Find).WithSummary("Find a thing by its id or name");

    private async Task<IResult> Find(PageContext context)
    {
        context.Caller.DecidedByHandler();
        if (!PageFilters.Read(context.Http, "q").Try(out var filters, out var wrong))
            return wrong;
        var text = filters["q"];
        if (text.Length > 0 && await ExactAsync(context, text) is { } path)
            return new Redirect(path);
        var found = text.Length < LeastCharacters ? [] : await BeginningAsync(context, text);
        found.AddRange(await named.OfAsync(context, text));
        found = [.. found.DistinctBy(f => (f.Kind, f.Name)).Take(Most)];
        return found is [var only]
            ? new Redirect(only.Path)
            : await writer.PageAsync<FindPage, FindModel>(context, new FindModel(text, found));
    }

    private async ValueTask<string?> ExactAsync(PageContext context, string text)
    {
        var (caller, project) = (context.Caller, context.Project);
        if (
            Is(text, Run.Prefix)
            && caller.Allows("read", "runs", text)
            && await runs.FindAsync(project, text) is { } run
            && !await door.HidesAsync(caller, run.Session)
        )
            return context.Of("/runs", run.Id);
        if (await exact.PathAsync(context, text) is { } path)
            return path;
        if (
            await sessions.FindAsync(project, text) is { } session
            && !SessionDoor.Hides(caller, session.Name, session.Id)
            && caller.Allows("read", "sessions", session.Id, session.ExternalId)
        )
            return context.Of("/sessions", session.Id);
        return await keys.PathAsync(context, text);
    }

    private static bool Is(string text, string prefix) => text.StartsWith(prefix + "_", StringComparison.Ordinal);

    private static string? ShownTo(PageContext context) => SessionStore.ShownTo(context.MayAdmin, "run");

    private async ValueTask<List<FoundThing>> BeginningAsync(PageContext context, string text)
    {
        var found = new List<FoundThing>();
        if (context.Caller.Allows("read", "runs") && Run.Prefix.Length < text.Length)
            foreach (var run in await runs.BeginningWithAsync(context.Project, text, ShownTo(context), Most))
                found.Add(new FoundThing("run", run.Id, context.Of("/runs", run.Id)));
        if (context.Caller.Allows("read", "sessions"))
            foreach (var s in await sessions.BeginningWithAsync(context.Project, text, context.MayAdmin, Most))
                found.Add(new FoundThing("session", s.Name, context.Of("/sessions", s.Id)));
        found.AddRange(await keys.BeginningWithAsync(context, text, Most));
        return found;
    }
}
