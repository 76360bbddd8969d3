using Postern.Access;
using Postern.Http;
using Postern.Storage;
using Postern.Triggers;

namespace Postern.Bulk;

/// <summary>Starts many captured requests of a trigger again. When the trigger is full, it waits for a place.</summary>
internal sealed class CaptureBulk(
    Database database,
    CaptureMatches matches,
    CaptureStore captures,
    TriggerActions actions,
    TriggerStore triggers
) : BulkAction
{
    public const string Replay = "captures.replay";

    public override string Name => Replay;

    public override string Audited => "capture.replayed";

    public override RequiredScope RequiredScope { get; } = new("trigger", "triggers");

    /// <summary>The filter names one trigger, so the right on that trigger is enough.</summary>
    public override RequiredScope RequiredScopeOf(BulkFilter filter) =>
        filter.One("trigger") is { } trigger ? RequiredScope with { Id = trigger } : RequiredScope;

    public override IReadOnlyList<string> Filters { get; } =
    ["trigger", BulkFilter.Ids, "status", "reason", "created", "olderThan"];

    public override string? WhyUnreadable(BulkFilter filter)
    {
        if (filter.List("trigger") is not [var trigger] || TriggerName.OfScope(trigger) is null)
            return "filter.trigger is required: one trigger, such as user/ada/orders";
        return filter.WhyUnreadable() ?? filter.WhyNotOf("status", Capture.Statuses);
    }

    public override async ValueTask<Listed<string>> PageAsync(
        string project,
        BulkScope scope,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) =>
        await TriggerOfAsync(project, scope) is { } trigger
            ? await matches.PageAsync(project, FilterOf(trigger, scope), after, limit, cancel)
            : new Listed<string>([], null);

    public override async Task DoAsync(BulkItem item, Func<Tx, Skip?, ValueTask> note)
    {
        var project = item.Job.Project;
        if (
            await TriggerOfAsync(project, item.Scope) is not { } trigger
            || await captures.FindAsync(project, trigger.Uid, item.Id) is not { } capture
            || !await database.ReadAsync(tx =>
                CaptureMatches.IsFoundAsync(tx, project, item.Id, FilterOf(trigger, item.Scope))
            )
        )
            await SkipAsync(Skip.Changed);
        else if (!(await actions.ReplayAsync(trigger, capture, also: tx => note(tx, null))).Try(out _, out var refusal))
        {
            if (refusal.Status == StatusCodes.Status429TooManyRequests)
                throw new NoPlaceException();
            await SkipAsync(Skip.Of(refusal));
        }

        Task SkipAsync(Skip why) =>
            database.WriteAsync(async tx =>
            {
                await note(tx, why);
                return 0;
            });
    }

    private async ValueTask<Trigger?> TriggerOfAsync(string project, BulkScope scope) =>
        scope.Filter.One("trigger") is { } named && TriggerName.OfScope(named) is { } name
            ? await triggers.FindAsync(project, name)
            : null;

    private static CaptureFilter FilterOf(Trigger trigger, BulkScope scope)
    {
        var (from, to) = scope.Made;
        var filter = scope.Filter;
        return new CaptureFilter(
            trigger.Uid,
            filter.List(BulkFilter.Ids),
            filter.List("status"),
            filter.List("reason"),
            from,
            to
        );
    }
}
