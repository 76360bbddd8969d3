using Postern.Access;
using Postern.Http;
using Postern.Sessions;
using Postern.Storage;

namespace Postern.Bulk;

/// <summary>Closes many sessions.</summary>
internal sealed class SessionBulk(Database database, SessionMatches matches, Conversation conversation)
    : BulkWrite(database)
{
    public const string Close = "sessions.close";

    public override string Name => Close;

    public override string Audited => "session.closed";

    public override RequiredScope RequiredScope { get; } = new("admin", "sessions");

    public override IReadOnlyList<string> Filters { get; } =
    [BulkFilter.Ids, "status", "agent", "type", "tag", "externalId", "created", "olderThan"];

    public override string? WhyUnreadable(BulkFilter filter) =>
        filter.WhyUnreadable() ?? filter.WhyNotOf("status", Session.Statuses);

    public override ValueTask<Listed<string>> PageAsync(
        string project,
        BulkScope scope,
        (long At, string Id)? after,
        int limit,
        CancellationToken cancel
    ) => matches.PageAsync(project, FilterOf(scope), after, limit, cancel);

    protected override async ValueTask<Skip?> DoAsync(Tx tx, BulkItem item)
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
        return new SessionFilter
        {
            Ids = filter.List(BulkFilter.Ids),
            Types = filter.List("type"),
            Tags = filter.List("tag"),
            Agents = filter.List("agent"),
            ExternalIds = filter.List("externalId"),
            Statuses = filter.List("status"),
            From = from,
            To = to,
            WithInternal = scope.WithInternal,
        };
    }
}
