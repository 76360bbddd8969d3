using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The find box: opens the named thing, or lists the things that begin with the text. Only what the caller may read;
/// other things look as if they did not exist.
/// </summary>
internal sealed class FindPages(
    PageWriter writer,
    RunFinds runs,
    SessionFinds sessions,
    ExactFinds exact,
    NamedFinds named,
    BeginningFinds beginning,
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

    private async ValueTask<string?> ExactAsync(PageContext context, string text) =>
        await runs.PathAsync(context, text)
        ?? await exact.PathAsync(context, text)
        ?? await sessions.PathAsync(context, text)
        ?? await keys.PathAsync(context, text);

    private async ValueTask<List<FoundThing>> BeginningAsync(PageContext context, string text) =>
        [
            .. await runs.BeginningWithAsync(context, text, Most),
            .. await sessions.BeginningWithAsync(context, text, Most),
            .. await beginning.OfAsync(context, text, Most),
            .. await keys.BeginningWithAsync(context, text, Most),
        ];
}
