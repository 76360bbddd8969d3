using Postern.Http;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>Tests of a trigger's URL: a request as its sender would send it, or a wrong one.</summary>
internal sealed class TestForms(FormWrites writes, TriggerFinder finder, TestSender sender) : IPages
{
    public void Map(PageDoors pages)
    {
        const string rule = "write:triggers:{trigger}";
        pages
            .Form(
                "/playground/webhook",
                rule,
                ["trigger", "body", "headers", "way"],
                SendWebhook,
                ConsoleForm.PlaygroundBytes
            )
            .WithSummary("Send a test to a trigger's URL")
            .Audits("trigger.tested");
        pages
            .Form(TriggerPaths.One + "/example", rule, ["way"], SendExample)
            .WithSummary("Send an example to a trigger's URL")
            .Audits("trigger.tested");
    }

    private async Task<IResult> SendWebhook(PageContext context, ConsoleForm form)
    {
        var found = await finder.FindAsync(context, form["trigger"], "write");
        if (!found.Try(out var trigger, out var refusal))
            return refusal;
        if (!TestHeaders.Read(form["headers"]).Try(out var headers, out var wrong))
            return wrong;
        return await SendAsync(
            context,
            form,
            trigger,
            new WebhookExample(form["body"], headers),
            context.Of("/playground?tab=webhook&trigger=" + Uri.EscapeDataString(trigger.Name.Scope)) + "&"
        );
    }

    private async Task<IResult> SendExample(PageContext context, ConsoleForm form)
    {
        if (!(await finder.FindAsync(context, "write")).Try(out var trigger, out var refusal))
            return refusal;
        return await SendAsync(
            context,
            form,
            trigger,
            WebhookExample.Of(trigger.AuthScheme, form.OnceText.Replace("_", "-", StringComparison.Ordinal)),
            TriggerPaths.Of(context, trigger.Name) + "?"
        );
    }

    private async Task<IResult> SendAsync(
        PageContext context,
        ConsoleForm form,
        Trigger trigger,
        WebhookExample example,
        string leadsTo
    )
    {
        var way = form.Text("way") ?? TestSender.Right;
        if (!TestSender.Ways.Contains(way, StringComparer.Ordinal))
            return Refusal.BadRequest("way is none of " + string.Join(", ", TestSender.Ways) + ".", "invalid_form");
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await sender.SendAsync(context.Caller, trigger, example, way, context.Http.RequestAborted)).Try(
                    out var sent,
                    out var refused
                )
                    ? leadsTo + sent.Query
                    : refused
        );
    }
}
