using Postern.Access;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>What left the server and what did not: a list, one delivery with its attempts, sending it again.</summary>
internal sealed class DeliveryPages(
    PageWriter writer,
    FormWrites writes,
    DeliveryStore deliveries,
    DeliveryMatches matches,
    Redelivery again,
    DeliveryWhy whys,
    HiddenSubjects hidden,
    Database database
) : IPages
{
    private const int DeliverySegment = 2;
    private static readonly string[] Statuses = [Delivery.Pending, Delivery.Delivered, Delivery.Dead];
    private static readonly string[] Filters =
    [
        "status",
        "endpoint",
        "purpose",
        "subject",
        "answer",
        "created",
        "older",
        "text",
    ];

    public void Map(PageDoors pages)
    {
        var reads = Authorization.Needs("read", "deliveries");
        pages.Page("/deliveries", reads, List).WithSummary("What was sent, and what was not");
        pages.Page("/deliveries/{delivery}", reads, Show).WithSummary("One delivery");
        pages
            .Form("/deliveries/{delivery}/retry", Authorization.Needs("write", "deliveries"), [], Retry)
            .WithSummary("Send a delivery again")
            .Audits("delivery.retried");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, Filters).Try(out var filters, out var wrong))
            return wrong;
        if (filters["status"].Length > 0 && !Statuses.Contains(filters["status"], StringComparer.Ordinal))
            return PageFilters.Bad($"status: {filters["status"]} is none");
        if (
            !RunQuery.TryReadSpan(context.Http.Request.Query, "created", out var from, out var to)
            && filters["created"].Length > 0
        )
            return PageFilters.Bad("created is from..to in ISO 8601, such as 2026-01-31..2026-02-01");
        if (!filters.TryOlder(context.Now, out var older))
            return PageFilters.Bad(PageFilters.OlderIsNone);
        var filter = new DeliveryFilter(
            Text("status"),
            WebhookEndpoints.Named(Text("endpoint")),
            Text("purpose"),
            Text("subject"),
            from,
            older is { } end && !(to < end) ? end : to + 1
        )
        {
            Answer = Text("answer"),
            Shown = Shown(context),
            Text = Text("text"),
        };
        var found = await deliveries.ListAsync(
            context.Project,
            filter,
            filters.After?.Id,
            filters.Size,
            context.Http.RequestAborted
        );
        var reasons = await database.ReadAsync(tx => whys.OfAllAsync(tx, found.Rows));
        return await writer.PageAsync<DeliveriesPage, DeliveriesModel>(
            context,
            new DeliveriesModel(found, filters, [.. again.Purposes.Order(StringComparer.Ordinal)], reasons)
            {
                // Nobody looks for the dead among the delivered.
                Dead =
                    context.Waiting.DeadLetters > 0 && filters["status"] is "" or Delivery.Dead && filters.After is null
                        ? await matches.DeadAsync(context.Project, Shown(context))
                        : [],
            }
        );

        string? Text(string name) => filters.Text(name);
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (await FindAsync(context) is not { } delivery)
            return PageRefusals.NotFound;
        // A callback's body is the run, output and all.
        var body = context.Caller.Allows("read", "runs") ? delivery.Body : null;
        var attempts = await deliveries.AttemptsAsync(delivery.Project, delivery.Id);
        return await writer.PageAsync<DeliveryPage, DeliveryModel>(
            context,
            new DeliveryModel(delivery, attempts, body, await database.ReadAsync(tx => whys.OfAsync(tx, delivery)))
        );
    }

    private async Task<IResult> Retry(PageContext context, ConsoleForm form)
    {
        if (await FindAsync(context) is not { } delivery)
            return PageRefusals.NotFound;
        return await writes.WriteAsync(
            context,
            form,
            async tx =>
                await again.RetryAsync(tx, delivery.Project, delivery.Id) is { } refusal
                    ? refusal
                    : context.Of("/deliveries", delivery.Id)
        );
    }

    private async ValueTask<Delivery?> FindAsync(PageContext context) =>
        RequestPath.Segment(context.Http, DeliverySegment) is { } id
            ? await deliveries.FindAsync(context.Project, id, Shown(context))
            : null;

    /// <summary>The condition on what the one who looks may see; null: all of it.</summary>
    private string? Shown(PageContext context) => context.MayAdmin ? null : hidden.IsShown("delivery");
}
