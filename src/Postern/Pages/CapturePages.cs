using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Postern.Access;
using Postern.Http;
using Postern.Sessions;
using Postern.Triggers;

namespace Postern.Pages;

/// <summary>One captured request: its content, its outcome, and starting it again.</summary>
internal sealed class CapturePages(
    PageWriter writer,
    FormWrites writes,
    TriggerActions actions,
    CaptureReader reader,
    TriggerUrls urls
) : IPages
{
    private const int CaptureSegment = 2;

    public void Map(PageDoors pages)
    {
        pages.Page("/captures/{capture}", "read:triggers:{trigger}", Show).WithSummary("One captured request");
        pages
            .Form(
                "/captures/{capture}/replay",
                "trigger:triggers:{trigger}",
                ["body", "other"],
                Replay,
                ConsoleForm.PlaygroundBytes
            )
            .WithSummary("Start a captured request again")
            .Audits("capture.replayed");
    }

    private async Task<IResult> Show(PageContext context)
    {
        if (!(await FindAsync(context, "read")).Try(out var found, out var refusal))
            return refusal;
        var (capture, trigger) = found;
        var incoming = InboundRequest.Of(capture, capture.Source);
        using var body = InboundBody.OfCaptured(incoming, InboundRoutes.MaxBody);
        return await writer.PageAsync<CapturePage, CaptureModel>(
            context,
            new CaptureModel
            {
                Capture = capture,
                Trigger = trigger,
                Inbound = await urls.PathOfAsync(trigger),
                Body = body.Json is { } json ? JsonSerializer.Serialize(json, Indented) : body.Text,
                BodyIsText = Utf8.IsValid(incoming.Body) && !incoming.Body.Contains((byte)0),
                Prompt = await reader.PromptAsync(capture),
                Headers = incoming.Headers,
                Why = (await reader.WhysAsync([capture])).GetValueOrDefault(capture.Id),
            }
        );
    }

    private async Task<IResult> Replay(PageContext context, ConsoleForm form)
    {
        if (!(await FindAsync(context, "trigger")).Try(out var found, out var refusal))
            return refusal;
        var (capture, trigger) = found;
        var body = form["other"] == "1" ? Encoding.UTF8.GetBytes(form["body"]) : null;
        if (body?.Length > InboundRoutes.MaxBody)
            return Refusal.BadRequest($"body has more than {InboundRoutes.MaxBody} bytes.", "invalid_form");
        return await writes.AroundAsync(
            context,
            form,
            async () =>
                (await actions.ReplayAsync(trigger, capture, body)).Try(out var again, out var refused)
                    ? context.Of("/captures", again)
                    : refused
        );
    }

    private static readonly JsonSerializerOptions Indented = new(Wire.Json) { WriteIndented = true };

    private async ValueTask<Checked<(Capture Capture, Trigger Trigger)>> FindAsync(PageContext context, string action)
    {
        var caller = context.Caller;
        caller.DecidedByHandler();
        if (
            RequestPath.Segment(context.Http, CaptureSegment) is not { } id
            || await reader.FindAsync(caller.Project, id) is not var (capture, trigger)
        )
            return PageRefusals.NotFound;
        if (!caller.Allows(action, "triggers", trigger.Name.Scope))
            return PageRefusals.Denied(caller, action, "triggers", trigger.Name.Scope);
        return (capture, trigger);
    }
}
