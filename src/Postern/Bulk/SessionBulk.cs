using Postern.Access;
using Postern.Http;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>Closes many sessions.</summary>
internal sealed class SessionBulk(Database database, SessionMatches matches, Conversation conversation) : BulkAction
{
    public const string Close = "sessions.close";
    private static readonly string[] Statuses = ["ACTIVE", "CLOSED", "EXPIRED", "IDLE"];

    public override string Name => Close;

    public override string Audited => "session.closed";

    public override RequiredScope RequiredScope { get; } = new("admin", "sessions");

    public override IReadOnlyList<string> Filters { get; } =
    ["status", "agent", "type", "tag", "externalId", "created", "olderThan"];

    public override string? WhyUnreadable(BulkFilter filter) =>
        filter.WhyUnreadable()
        ?? (
            filter.List("status").Any(s => !Statuses.Contains(s, StringComparer.Ordinal))
                ? "filter.status must be of " + string.Join(", ", Statuses)
                : null
        );

    public override async ValueTask<Listed<string>> PageAsync(
        string project,
        BulkScope scope,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    )
    {
        var from = after is { } at ? new Cursor(at.At, at.Id) : (Cursor?)null;
        var found = await matches.PageAsync(project, FilterOf(scope) with { After = from }, limit, cancel);
        return new Listed<string>([.. found.Rows.Select(r => r.Id)], found.Next);
    }

    public override Task DoAsync(BulkItem item, Func<Tx, Skip?, ValueTask> note) =>
        database.WriteAsync(async tx =>
        {
            await note(tx, await DoAsync(tx, item));
            return 0;
        });

    private async ValueTask<Skip?> DoAsync(Tx tx, BulkItem item)
    {
        var job = item.Job;
        if (
            await SessionStore.LockAsync(tx, job.Project, item.Id) is not { } session
            || !await SessionMatches.IsFoundAsync(tx, job.Project, item.Id, FilterOf(item.Scope))
        )
            return Skip.Changed;
        return await conversation.CloseAsync(tx, session, job.Reason)
            ? null
            : new Skip("session_closed", "The session was closed already.");
    }

    private static SessionFilter FilterOf(BulkScope scope)
    {
        var (from, to) = scope.Made;
        var filter = scope.Filter;
        return new SessionFilter(
            filter.List("type"),
            filter.List("tag"),
            filter.List("agent"),
            filter.List("externalId"),
            filter.List("status"),
            from,
            to,
            null,
            null,
            scope.WithInternal
        );
    }
}
