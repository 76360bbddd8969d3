using Postern.Access;
using Postern.Deliveries;
using Postern.Dispatch;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The list of deliveries, with its filters, and the summary of the dead ones.</summary>
internal sealed class DeliveryLists(
    PageWriter writer,
    DeliveryStore deliveries,
    DeliveryMatches matches,
    Redelivery again,
    DeliveryWhy whys,
    HiddenSubjects hidden,
    Database database
) : IPages
{
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

    public void Map(PageDoors pages) =>
        pages
            .Page("/deliveries", Authorization.Needs("read", "deliveries"), List)
            .WithSummary("What was sent, and what was not");

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, Filters).Try(out var filters, out var wrong))
            return wrong;
        var shown = hidden.ShownTo(context.MayAdmin, "delivery");
        if (!FilterOf(context, filters, shown).Try(out var filter, out var unfit))
            return unfit;
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
                Counts = await matches.CountsAsync(context.Project, filter),
                // A list of delivered ones needs no summary of the dead.
                Dead =
                    context.Waiting.DeadLetters > 0 && filters["status"] is "" or Delivery.Dead && filters.After is null
                        ? await matches.DeadAsync(context.Project, shown)
                        : [],
            }
        );
    }

    private static Checked<DeliveryFilter> FilterOf(PageContext context, PageFilters filters, string? shown)
    {
        var status = filters.Text("status");
        if (status is not null && !Statuses.Contains(status, StringComparer.Ordinal))
            return PageFilters.Bad($"status: {status} is none");
        if (
            !RunQuery.TryReadSpan(context.Http.Request.Query, "created", out var from, out var to)
            && filters["created"].Length > 0
        )
            return PageFilters.Bad("created is from..to in ISO 8601, such as 2026-01-31..2026-02-01");
        if (!filters.TryOlder(context.Now, out var older))
            return PageFilters.Bad(PageFilters.OlderIsNone);
        return new DeliveryFilter(
            status,
            WebhookEndpoints.Named(filters.Text("endpoint")),
            filters.Text("purpose"),
            filters.Text("subject"),
            from,
            older is { } end && !(to < end) ? end : to + 1
        )
        {
            Answer = filters.Text("answer"),
            Shown = shown,
            Text = filters.Text("text"),
        };
    }
}
