using Postern.Access;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>One delivery with its attempts, and sending it again.</summary>
internal sealed class DeliveryPages(
    PageWriter writer,
    FormWrites writes,
    DeliveryStore deliveries,
    Redelivery again,
    DeliveryWhy whys,
    HiddenSubjects hidden,
    Database database
) : IPages
{
    private const int DeliverySegment = 2;

    public void Map(PageDoors pages)
    {
        pages
            .Page("/deliveries/{delivery}", Authorization.Needs("read", "deliveries"), Show)
            .WithSummary("One delivery");
        pages
            .Form("/deliveries/{delivery}/retry", Authorization.Needs("write", "deliveries"), [], Retry)
            .WithSummary("Send a delivery again")
            .Audits("delivery.retried");
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (await FindAsync(context) is not { } delivery)
            return PageRefusals.NotFound;
        var body = delivery.IsReadableBy(context.Caller) ? delivery.Body : null;
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
            ? await deliveries.FindAsync(context.Project, id, hidden.ShownTo(context.MayAdmin, "delivery"))
            : null;
}
