using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The settings of the signed-in person: how pages look in this browser, and the open sessions. An administrator sees
/// the sessions of everybody.
/// </summary>
internal sealed class SettingsPages(
    PageWriter writer,
    FormWrites writes,
    ConsoleSessions sessions,
    BrowserSession browser,
    CredentialReader credentials
) : IPages
{
    private const int SessionSegment = 3;
    private static readonly TimeSpan Kept = TimeSpan.FromDays(365);

    public void Map(PageDoors pages)
    {
        pages.Page("/settings", "any", Show).WithSummary("One's own settings and sessions");
        pages
            .Form("/settings/look", "any", ["theme", "zone", "times", "keys"], Save)
            .WithSummary("How pages look in this browser");
        pages
            .Form("/settings/sessions/{console}/end", "any; admin for those of others", [], End)
            .WithSummary("End a session of the console")
            .Audits("console.session_ended");
        pages
            .Form("/settings/end-others", "any", [], EndOthers)
            .WithSummary("End one's other sessions of the console")
            .Audits("console.sessions_ended");
    }

    private async Task<IResult> Show(PageContext context)
    {
        context.Caller.DecidedByHandler();
        var all = await sessions.ListAsync(context.Project, context.MayAdmin ? null : Own(context));
        return await writer.PageAsync<SettingsPage, SettingsModel>(context, new SettingsModel(all, context.MayAdmin));
    }

    /// <summary>Nothing changes on the server: the browser keeps it.</summary>
    private Task<IResult> Save(PageContext context, ConsoleForm form)
    {
        context.Caller.DecidedByHandler();
        if (!Look.Themes.Contains(form["theme"], StringComparer.Ordinal))
            return Refused("theme is one of " + string.Join(", ", Look.Themes));
        if (form["times"] is not ("ago" or "exact"))
            return Refused("times is one of ago, exact");
        if (form["keys"] is not ("" or "on"))
            return Refused("keys is on, or left out");
        var zone = form["zone"].Trim() is { Length: > 0 } named ? named : Look.Utc;
        if (!Look.IsZone(zone))
            return Refused("zone is UTC, or a name such as Europe/Berlin that this machine knows");
        var look = new Look
        {
            Theme = form["theme"],
            Zone = zone,
            IsExact = form["times"] == "exact",
            HasKeys = form["keys"] == "on",
        };
        context.Http.Response.Cookies.Append(
            Look.Cookie,
            look.Text,
            new CookieOptions
            {
                HttpOnly = true,
                SameSite = SameSiteMode.Strict,
                Path = context.Paths.Cookie,
                Secure = credentials.IsOverTls(context.Http),
                MaxAge = Kept,
            }
        );
        return Task.FromResult<IResult>(new Redirect(context.Of("/settings")));

        static Task<IResult> Refused(string words) =>
            Task.FromResult<IResult>(Refusal.BadRequest(words + ".", "invalid_form"));
    }

    private async Task<IResult> End(PageContext context, ConsoleForm form)
    {
        context.Caller.DecidedByHandler();
        var id = RequestPath.Segment(context.Http, SessionSegment) ?? "";
        var living = await sessions.ListAsync(context.Project, context.MayAdmin ? null : Own(context));
        if (living.All(s => s.Id != id))
            return PageRefusals.NotFound;
        var isThisOne = id == context.Authority.Session.Id;
        var outcome = await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                await sessions.EndAsync(context.Project, id, "ended_by_person");
                return context.Of(isThisOne ? "/sign-in" : "/settings");
            }
        );
        if (isThisOne)
            browser.Forget(context.Http);
        return outcome;
    }

    private async Task<IResult> EndOthers(PageContext context, ConsoleForm form)
    {
        context.Caller.DecidedByHandler();
        var others = await sessions.ListAsync(context.Project, Own(context));
        return await writes.AroundAsync(
            context,
            form,
            async () =>
            {
                foreach (var other in others.Where(s => s.Id != context.Authority.Session.Id))
                {
                    context.Caller.EnsureStillAllowed();
                    await sessions.EndAsync(context.Project, other.Id, "ended_by_person");
                }
                return context.Of("/settings");
            }
        );
    }

    private static string Own(PageContext context) => context.Authority.Session.Credential;
}
