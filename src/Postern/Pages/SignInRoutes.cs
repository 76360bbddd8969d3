using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The routes for signing in, with a key, with a link from the machine, or by the word of a trusted proxy; and for
/// signing out. A wrong key gets the same answer as a revoked, expired or malformed one.
/// </summary>
internal sealed class SignInRoutes(
    SignInView view,
    SignInReader reader,
    SignInRefusals refusals,
    BrowserSession browser,
    ConsoleSessions sessions,
    Paths paths
) : IPages
{
    private static readonly string[] Fields = ["key", "once", "identity", "next"];

    public void Map(PageDoors pages)
    {
        var group = pages.OfAnyone;
        group.Get("/sign-in", Credentials.Anyone, Show).WithSummary("The page to sign in on").Hide();
        group
            .Post("/sign-in", Credentials.Anyone, SignIn)
            .WithSummary("Signing in")
            .Accepts<string>("application/x-www-form-urlencoded")
            .Hide();
        pages.Form("/sign-out", "any", [], SignOut).WithSummary("Signing out").Audits("console.signed_out");
    }

    private Task<IResult> Show(HttpContext http) =>
        view.ShowAsync(http, 200, null, http.Request.Query["next"].ToString());

    private async Task<IResult> SignIn(HttpContext http)
    {
        if (browser.WhyNotHere(http) is { } insecure)
            return insecure;
        if (!(await ConsoleForm.ReadOfAnyoneAsync(http, Fields)).Try(out var form, out var refusal))
            return refusal;
        var found = await reader.TryAsync(http, form);
        if (found.Who is not { } who)
            return await refusals.ShowAsync(http, found.Reason, found.KeyId, Wrong, form["next"]);
        await browser.BeginAsync(http, who);
        return new Redirect(paths.Next(form["next"]));
    }

    private async Task<IResult> SignOut(PageContext context, ConsoleForm form)
    {
        context.Caller.DecidedByHandler();
        await sessions.EndAsync(context.Project, context.Authority.Session.Id, "signed_out");
        browser.Forget(context.Http);
        return new Redirect(paths.Of("/sign-in"));
    }

    private static Refusal Wrong =>
        new(401, "That does not open the console: it is wrong, used, revoked or expired.", "wrong_key");
}
