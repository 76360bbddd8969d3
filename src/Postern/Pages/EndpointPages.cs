using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postern.Access;
using Postern.Deliveries;
using Postern.Http;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>The subscribers to events: the list, one with its present state, and the actions on it.</summary>
internal sealed class EndpointPages(
    PageWriter writer,
    FormWrites writes,
    WebhookEndpoints endpoints,
    EndpointActions actions,
    DeliveryWorker worker,
    Database database
) : IPages
{
    private const int IdSegment = 2;

    /// <summary>The one value of the filter <c>state</c>: endpoints that nothing is sent to.</summary>
    public const string Disabled = "disabled";
    private const long Day = 24L * 3600 * 1_000_000;
    private const long Overlap = 86_400;
    private static readonly string[] Names = ["url", "events", "secret", "rateLimit", "ordered", "enabled", "links"];

    public void Map(PageDoors pages)
    {
        const string one = "/endpoints/{endpoint}";
        var reads = Authorization.Needs("read", "deliveries");
        var changes = Authorization.Needs("write", "deliveries");
        pages.Page("/endpoints", reads, List).WithSummary("The subscribers to events");
        pages.Page("/endpoints/new", changes, AskToMake).WithSummary("The form of a new endpoint");
        pages
            .Form("/endpoints", changes, ["id", .. Names], Make)
            .WithSummary("Make an endpoint")
            .Audits("endpoint.put");
        pages.Page(one, reads, Show).WithSummary("One subscriber");
        pages.Form(one + "/change", changes, Names, Change).WithSummary("Change an endpoint").Audits("endpoint.put");
        pages
            .Form(one + "/enable", changes, [], Enable)
            .WithSummary("Send to an endpoint again")
            .Audits("endpoint.put");
        pages
            .Form(one + "/disable", changes, [], Disable)
            .WithSummary("Send nothing to an endpoint")
            .Audits("endpoint.put");
        pages.Form(one + "/test", changes, [], Test).WithSummary("Send a test event").Audits("endpoint.tested");
        pages.Page(one + "/rotate", changes, AskToRotate).WithSummary("Whether to give an endpoint a new secret");
        pages
            .Form(one + "/rotate", changes, [], Rotate)
            .WithSummary("Rotate the secret of an endpoint")
            .Audits("endpoint.secret_rotated");
        pages.Page(one + "/delete", changes, AskToDelete).WithSummary("Whether to delete an endpoint");
        pages.Form(one + "/delete", changes, [], Delete).WithSummary("Delete an endpoint").Audits("endpoint.deleted");
    }

    private async Task<IResult> List(PageContext context)
    {
        if (!PageFilters.Read(context.Http, "state").Try(out var filters, out var wrong))
            return wrong;
        if (filters["state"] is not ("" or Disabled))
            return PageFilters.Bad($"state is {Disabled}, or left out");
        var rows = await endpoints.ListAsync(
            context.Project,
            filters.After?.Id ?? "",
            filters.Size + 1,
            onlyDisabled: filters["state"] == Disabled
        );
        WebhookEndpoint[] shown = [.. rows.Take(filters.Size)];
        var next = rows.Count > shown.Length ? new Cursor(0, shown[^1].Id).ToString() : null;
        return await writer.PageAsync<EndpointsPage, EndpointsModel>(context, new EndpointsModel(shown, next, filters));
    }

    private async Task<IResult> AskToMake(PageContext context) =>
        await writer.PageAsync<EndpointPage, EndpointModel>(
            context,
            new EndpointModel(null, new Dictionary<string, long>(), null)
        );

    private async Task<IResult> Show(PageContext context)
    {
        if (await FindAsync(context) is not { } endpoint)
            return PageRefusals.NotFound;
        var key = WebhookEndpoints.KeyOf(endpoint.Id);
        var recent = await database.ReadAsync(tx =>
            DeliveryQueries.EndedAsync(tx, context.Project, key, context.Now - Day)
        );
        return await writer.PageAsync<EndpointPage, EndpointModel>(
            context,
            new EndpointModel(endpoint, recent, worker.PausedUntil(context.Project, key))
        );
    }

    private Task<IResult> Make(PageContext context, ConsoleForm form) =>
        PutAsync(context, form, form["id"].Trim(), BodyOf(form), isNew: true);

    private async Task<IResult> Change(PageContext context, ConsoleForm form) =>
        await FindAsync(context) is { } endpoint
            ? await PutAsync(context, form, endpoint.Id, BodyOf(form))
            : PageRefusals.NotFound;

    private Task<IResult> Enable(PageContext context, ConsoleForm form) => SwitchAsync(context, form, true);

    private Task<IResult> Disable(PageContext context, ConsoleForm form) => SwitchAsync(context, form, false);

    private async Task<IResult> SwitchAsync(PageContext context, ConsoleForm form, bool enabled)
    {
        if (await FindAsync(context) is not { } endpoint)
            return PageRefusals.NotFound;
        var body = JsonSerializer.SerializeToElement(
            new
            {
                url = endpoint.Url,
                events = endpoint.Events,
                rateLimit = endpoint.RateLimit,
                ordered = endpoint.Ordered,
                enabled,
                links = endpoint.Links,
            },
            Wire.Json
        );
        return await PutAsync(context, form, endpoint.Id, body);
    }

    private async Task<IResult> PutAsync(
        PageContext context,
        ConsoleForm form,
        string id,
        JsonElement body,
        bool isNew = false
    )
    {
        if (
            !(await actions.CheckAsync(context.Http, context.Caller, id, new Fields(body))).Try(
                out var asked,
                out var wrong
            )
        )
            return wrong;
        string? made = null;
        var fresh = SigningSecret.New();
        var path = context.Of("/endpoints", id);
        var result = await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                if (isNew && await WebhookEndpoints.FindAsync(tx, context.Project, id) is not null)
                    return new Refusal(409, "There is an endpoint of this id already: change it.", "endpoint_exists");
                if (
                    !(await actions.PutAsync(tx, context.Project, id, asked, fresh)).Try(out var saved, out var refused)
                )
                    return refused;
                made = saved.Secret;
                return path;
            }
        );
        return made is null || result is not Redirect ? result : await SecretAsync(context, id, made);
    }

    private async Task<IResult> Test(PageContext context, ConsoleForm form) =>
        await FindAsync(context) is { } endpoint
            ? await writes.WriteAsync(
                context,
                form,
                async tx =>
                    (await actions.TestAsync(tx, context.Project, endpoint.Id)).Try(out var delivery, out var refused)
                        ? context.Of("/deliveries", delivery)
                        : refused
            )
            : PageRefusals.NotFound;

    private async Task<IResult> AskToRotate(PageContext context) =>
        await FindAsync(context) is { } endpoint
            ? await writer.PageAsync<ConfirmPage, ConfirmModel>(
                context,
                new ConfirmModel
                {
                    Title = "Rotate the secret of an endpoint",
                    Text =
                        $"{endpoint.Id} gets a new secret, which is shown once. The present one signs beside it for "
                        + "another 24 hours.",
                    Action = context.Of("/endpoints", endpoint.Id) + "/rotate",
                    Button = "Rotate it now",
                    Back = context.Of("/endpoints", endpoint.Id),
                    Section = "endpoints",
                    Curl = Curl.Send("POST", $"/api/v1/webhook-endpoints/{endpoint.Id}/rotate-secret"),
                }
            )
            : PageRefusals.NotFound;

    private async Task<IResult> Rotate(PageContext context, ConsoleForm form)
    {
        if (await FindAsync(context) is not { } endpoint)
            return PageRefusals.NotFound;
        string? made = null;
        var result = await writes.WriteAsync(
            context,
            form,
            async tx =>
            {
                if (
                    !(await actions.RotateAsync(tx, context.Project, endpoint.Id, Overlap)).Try(
                        out var rotated,
                        out var refused
                    )
                )
                    return refused;
                made = rotated.Secret;
                return context.Of("/endpoints", endpoint.Id);
            }
        );
        return made is null || result is not Redirect ? result : await SecretAsync(context, endpoint.Id, made);
    }

    private async Task<IResult> AskToDelete(PageContext context) =>
        await FindAsync(context) is { } endpoint
            ? await writer.PageAsync<ConfirmPage, ConfirmModel>(
                context,
                new ConfirmModel
                {
                    Title = "Delete an endpoint",
                    Text =
                        $"{endpoint.Id} gets no more events, and its pending deliveries become dead. "
                        + "This cannot be undone.",
                    Action = context.Of("/endpoints", endpoint.Id) + "/delete",
                    Button = "Delete it now",
                    Back = context.Of("/endpoints", endpoint.Id),
                    Section = "endpoints",
                    Curl = Curl.Send("DELETE", "/api/v1/webhook-endpoints/" + endpoint.Id),
                }
            )
            : PageRefusals.NotFound;

    private async Task<IResult> Delete(PageContext context, ConsoleForm form) =>
        await FindAsync(context) is { } endpoint
            ? await writes.AroundAsync(
                context,
                form,
                async () =>
                    await actions.DeleteAsync(context.Caller, endpoint.Id, context.Http.RequestAborted) is { } refused
                        ? refused
                        : context.Of("/endpoints")
            )
            : PageRefusals.NotFound;

    private async Task<IResult> SecretAsync(PageContext context, string id, string secret) =>
        await writer.PageAsync<SecretPage, SecretModel>(
            context,
            new SecretModel(
                "the endpoint " + id,
                secret,
                "Whoever receives the events verifies their signatures by it.",
                context.Of("/endpoints", id),
                "endpoints"
            )
        );

    private static JsonElement BodyOf(ConsoleForm form)
    {
        var body = new JsonObject
        {
            ["url"] = form.Text("url"),
            ["events"] = new JsonArray([
                .. form["events"]
                    .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                    .Select(e => (JsonNode)e),
            ]),
            ["ordered"] = form["ordered"] == "1",
            ["enabled"] = form["enabled"] == "1",
            ["links"] = form["links"] == "1",
        };
        if (form.Text("secret") is { } secret)
            body["secret"] = secret;
        if (form.Text("rateLimit") is { } rate)
            body["rateLimit"] = long.TryParse(rate, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                ? number
                : rate;
        return JsonSerializer.SerializeToElement(body, Wire.Json);
    }

    private async ValueTask<WebhookEndpoint?> FindAsync(PageContext context) =>
        RequestPath.Segment(context.Http, IdSegment) is { } id ? await endpoints.FindAsync(context.Project, id) : null;
}
