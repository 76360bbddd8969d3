using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Deliveries;

/// <summary>
/// The routes for deliveries: lists, single ones with their attempts, sending again; and the list of events.
/// </summary>
internal sealed class DeliveryRoutes(
    DeliveryStore store,
    Redelivery again,
    DeliveryWhy whys,
    HiddenSubjects hidden,
    Database database
)
{
    private const int MaxBody = 16 * 1024;
    private const int IdSegment = 3;

    /// <summary>The most rows that one transaction of a replay reads.</summary>
    private const int ReplayBatch = 500;

    public void Map(Doors doors)
    {
        var group = doors.Group("/api/v1/deliveries", ProblemFormat.Instance);
        group
            .Get("", Credentials.Key, Authorization.Needs("read", "deliveries"), List)
            .WithSummary("List deliveries, newest first")
            .QueryWord("status", "What has become of it.", Delivery.Pending, Delivery.Delivered, Delivery.Dead)
            .Query("endpoint", "An endpoint's id, or agent:{slug}, or url:{origin}")
            .Query("subject", "A run's or session's id")
            .Query("purpose", "dispatch, notice, callback or event.")
            .Paged()
            .Produces<Page<DeliveryView>>()
            .Produces(400, 401, 403);
        group
            .Get("/{delivery}", Credentials.Key, Authorization.Needs("read", "deliveries"), Retrieve)
            .WithSummary("Read a delivery with its attempts")
            .Produces<DeliveryView>()
            .Produces(401, 403, 404);
        group
            .Post("/{delivery}/retry", Credentials.Key, Authorization.Needs("write", "deliveries"), Retry)
            .Audits("delivery.retried")
            .WithSummary("Send a delivery again, under the same id; at once, where it waits for its next try")
            .Produces<DeliveryView>()
            .Produces(401, 403, 404, 409);
        group
            .Post("/replay", Credentials.Key, Authorization.Needs("write", "deliveries"), Replay)
            .Audits("deliveries.replayed")
            .WithSummary("Send again what was made in a span of time")
            .Accepts<ReplayDeliveries>()
            .Produces<Replayed>()
            .Produces(400, 401, 403);
        doors
            .Group("/api/v1/events", ProblemFormat.Instance)
            .Get("", Credentials.Key, Authorization.Needs("read", "deliveries"), ListEvents)
            .WithSummary("List what happened, newest first")
            .Query("type", "Such as run.failed")
            .Query("subject", "A run's or session's id")
            .Paged()
            .Produces<Page<EventView>>()
            .Produces(400, 401, 403);
    }

    private async Task<IResult> List(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var status = Asked(http, "status");
        if (status is not (null or Delivery.Pending or Delivery.Delivered or Delivery.Dead))
            return Refusal.BadRequest("status must be pending, delivered or dead", "invalid_filter");
        var endpoint = WebhookEndpoints.Named(Asked(http, "endpoint"));
        var filter = new DeliveryFilter(status, endpoint, Asked(http, "purpose"), Asked(http, "subject"))
        {
            Shown = ShownTo(caller, "delivery"),
        };
        var found = await store.ListAsync(caller.Project, filter, page.After?.Id, page.Limit, http.RequestAborted);
        return Reply.Ok(Page.Of(found, d => DeliveryView.Of(d, null)));
    }

    private async Task<IResult> Retrieve(HttpContext http, ProjectCaller caller)
    {
        if (
            RequestPath.Segment(http, IdSegment) is not { } id
            || await store.FindAsync(caller.Project, id, ShownTo(caller, "delivery")) is not { } delivery
        )
            return Unknown;
        return Reply.Ok(
            DeliveryView.Of(
                delivery,
                await store.AttemptsAsync(caller.Project, id),
                withBody: delivery.IsReadableBy(caller),
                await database.ReadAsync(tx => whys.OfAsync(tx, delivery))
            )
        );
    }

    private async Task<IResult> Retry(HttpContext http, ProjectCaller caller)
    {
        if (
            RequestPath.Segment(http, IdSegment) is not { } id
            || await store.FindAsync(caller.Project, id, ShownTo(caller, "delivery")) is null
        )
            return Unknown;
        var refusal = await database.WriteAsync(tx => again.RetryAsync(tx, caller.Project, id));
        return refusal ?? await Retrieve(http, caller);
    }

    /// <summary>
    /// Sends deliveries of a period again, in batches from the newest back, so that any number is possible. A repeat
    /// changes nothing: it finds them pending, or delivered and replayed at or after the end of its period (without an
    /// end: ever).
    /// </summary>
    private async Task<IResult> Replay(HttpContext http, ProjectCaller caller)
    {
        if (!(await Fields.ReadAsync(http, MaxBody)).Try(out var fields, out var unreadable))
            return unreadable;
        var filter = FilterOf(fields.Read<ReplayDeliveries>(), fields);
        if (fields.Refusal() is { } wrong)
            return wrong;
        var (replayed, skipped) = (0, 0);
        string? before = null;
        while (true)
        {
            caller.EnsureStillAllowed();
            var from = before;
            var (last, requeued, left) = await database.WriteAsync(tx => ReplayBatchAsync(tx, caller, filter, from));
            (replayed, skipped) = (replayed + requeued, skipped + left);
            if (last is null)
                return Reply.Ok(new Replayed(replayed, skipped));
            before = last;
            http.RequestAborted.ThrowIfCancellationRequested();
            caller.EnsureStillAllowed();
        }
    }

    /// <summary>Returns what to send again; faults are left in <paramref name="fields"/>.</summary>
    private DeliveryFilter FilterOf(ReplayDeliveries asked, Fields fields)
    {
        var (named, purpose, since, until, status) = asked;
        var endpoint = WebhookEndpoints.Named(named);
        if (purpose is not null && !again.Purposes.Contains(purpose, StringComparer.Ordinal))
            fields.Fault("purpose", "must be one of " + string.Join(", ", again.Purposes));
        if (endpoint is not null && purpose is not null)
            fields.Fault("purpose", "and endpoint exclude one another");
        return new DeliveryFilter(status, endpoint, purpose, null, since, until ?? database.Now)
        {
            NotReplayedSince = status == Delivery.Delivered ? until ?? 0 : null,
        };
    }

    private async ValueTask<(string? Last, int Requeued, int Left)> ReplayBatchAsync(
        Tx tx,
        ProjectCaller caller,
        DeliveryFilter filter,
        string? before
    )
    {
        var sent = 0;
        var (batch, next) = await DeliveryStore.NextAsync(tx, caller.Project, filter, before, ReplayBatch);
        foreach (var delivery in batch)
            if (await again.RequeueAsync(tx, delivery) is null)
                sent++;
        return (next, sent, batch.Count - sent);
    }

    private async Task<IResult> ListEvents(HttpContext http, ProjectCaller caller)
    {
        if (!PageQuery.Read(http, 50, 200).Try(out var page, out var wrong))
            return wrong;
        var shown = ShownTo(caller, "event");
        var (type, subject) = (Asked(http, "type"), Asked(http, "subject"));
        // Ordered by position, and only up to the settled one: later events come before all events of this list, so a
        // reader that reads back to a known event has all of them.
        var from = page.After?.Place ?? (await database.SearchAsync(tx => tx.SettledAsync()) + 1, "");
        var found = await ListSearch.FindAsync(
            database,
            EventRow.Order,
            from,
            page.Limit,
            tx => ValueTask.FromResult(Narrow(tx)),
            async (_, query, most) => (await EventRow.ReadAsync(query, from, IsAskedFor, most), false),
            e => (e.Position, e.Id),
            http.RequestAborted
        );
        return Reply.Ok(Page.Of(found, e => EventView.Of(e.Id, e.Body)));

        ListQuery Narrow(Tx tx)
        {
            var query = EventRow.Narrow(new ListQuery(tx, "project = $1", caller.Project), type, subject);
            return shown is null ? query : query.And(shown);
        }

        bool IsAskedFor(Event one) => (type is null || one.Type == type) && (subject is null || one.Subject == subject);
    }

    /// <summary>Returns the condition on the rows of a table that this caller may see; null: all rows.</summary>
    private string? ShownTo(ProjectCaller caller, string table) =>
        hidden.ShownTo(caller.Authority.Allows(RequiredScope.FullAdmin), table);

    private static string? Asked(HttpContext http, string name) =>
        http.Request.Query.TryGetValue(name, out var value)
        && value.ToString() is { Length: > 0 } text
        && !text.Contains('\0', StringComparison.Ordinal)
            ? text
            : null;

    private static Refusal Unknown => Redelivery.Unknown;
}
