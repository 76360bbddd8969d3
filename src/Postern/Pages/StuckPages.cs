using Postern.Dispatch;
using Postern.Http;
using Postern.Runs;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>The list of stuck runs: the list of runs with one more filter.</summary>
internal sealed class StuckPages(PageWriter writer, Stuck stuck, WhyNotDone whys, Database database)
{
    /// <summary>The name of the filter.</summary>
    public const string Filter = "stuck";

    public async Task<IResult> ListAsync(PageContext context)
    {
        if (!PageFilters.Read(context.Http, Filter).Try(out var filters, out var wrong))
            return PageFilters.Bad(wrong.Message.TrimEnd('.') + ", beside stuck=true");
        if (filters[Filter] != "true")
            return PageFilters.Bad("stuck is true or left out");
        var all = await stuck.FindAsync(context.Project, context.MayAdmin);
        StuckThing[] shown = [.. all.SkipWhile(t => !IsBehind(t, filters.After)).Take(filters.Size)];
        var isLast = shown.Length == 0 || ReferenceEquals(shown[^1], all[^1]);
        return await writer.PageAsync<StuckPage, StuckModel>(
            context,
            new StuckModel(
                await RowsAsync(context.Project, shown),
                all.Count,
                isLast ? null : new Cursor(shown[^1].Since, shown[^1].Id).ToString()
            )
        );
    }

    private static bool IsBehind(StuckThing thing, Cursor? after) =>
        after is not { } place
        || thing.Since > place.At
        || (thing.Since == place.At && string.CompareOrdinal(thing.Id, place.Id) > 0);

    private async ValueTask<IReadOnlyList<StuckRow>> RowsAsync(string project, StuckThing[] things)
    {
        return await database.ReadAsync<IReadOnlyList<StuckRow>>(async tx =>
        {
            var runs = await RunQueries.FindAllAsync(tx, project, Ids(StuckThing.Run));
            var captures = new Dictionary<string, Capture>(StringComparer.Ordinal);
            foreach (var id in Ids(StuckThing.Capture))
                if (await CaptureStore.FindAsync(tx, project, id) is { } capture)
                    captures[id] = capture;
            var triggers = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var uid in captures.Values.Select(c => c.TriggerUid).Distinct())
                if (await TriggerStore.FindByUidAsync(tx, project, uid) is { } trigger)
                    triggers[uid] = trigger.Name.Scope;
            var ofRuns = await whys.OfAllAsync(tx, runs);
            var ofCaptures = await whys.OfCapturesAsync(tx, [.. captures.Values]);
            var byId = runs.ToDictionary(r => r.Id, StringComparer.Ordinal);
            return
            [
                .. things.Select(t => new StuckRow(
                    t,
                    byId.GetValueOrDefault(t.Id),
                    captures.GetValueOrDefault(t.Id),
                    byId.TryGetValue(t.Id, out var run) ? run.TriggerKey
                        : captures.TryGetValue(t.Id, out var of) ? triggers.GetValueOrDefault(of.TriggerUid)
                        : null,
                    ofRuns.GetValueOrDefault(t.Id) ?? ofCaptures.GetValueOrDefault(t.Id)
                )),
            ];
        });

        string[] Ids(string kind) => [.. things.Where(t => t.Kind == kind).Select(t => t.Id)];
    }
}
