using Postern.Access;
using Postern.Http;

namespace Postern.Pages;

/// <summary>
/// The two routes for signing in with an identity provider: to the provider, and back. There is no middleware. The
/// answer is judged by <see cref="OidcSignIn"/>, which is not even loaded when no provider is configured.
/// </summary>
internal sealed class OidcRoutes(
    Lazy<OidcSignIn> signIn,
    OidcOperators operators,
    SignInRefusals refusals,
    BrowserSession browser,
    PageWriter writer,
    AccessWatch access,
    ILogger<OidcRoutes> log
) : IPages
{
    public void Map(PageDoors pages)
    {
        pages
            .OfAnyone.Get("/oidc/start", Credentials.Anyone, Start)
            .WithSummary("Signing in by the identity provider")
            .Hide();
        pages
            .OfAnyone.Get("/oidc/callback", Credentials.Anyone, Finish)
            .WithSummary("The identity provider's answer")
            .TakesCode()
            .Hide();
    }

    private async Task<IResult> Start(HttpContext http) => WhyNot(http) ?? await LeaveAsync(http);

    private async Task<IResult> Finish(HttpContext http) => WhyNot(http) ?? await ReturnAsync(http);

    private Refusal? WhyNot(HttpContext http) => operators.MaySignIn ? browser.WhyNotHere(http) : PageRefusals.NotFound;

    private async Task<IResult> LeaveAsync(HttpContext http)
    {
        var next = http.Request.Query["next"].ToString();
        ConsoleFamily.Instance.Prepare(http);
        try
        {
            await signIn.Value.StartAsync(http, next);
            return Results.Empty;
        }
        catch (OidcFaultException fault)
        {
            OidcLog.Away(log, fault.Message);
            return await refusals.ShowFaultAsync(http, 503, Away, next);
        }
    }

    private async Task<IResult> ReturnAsync(HttpContext http)
    {
        // The rights of the new session are read from the database now.
        await access.EnsureRecentAsync();
        OidcPerson person;
        try
        {
            person = await signIn.Value.FinishAsync(http);
        }
        catch (OidcFaultException fault)
        {
            OidcLog.Failed(log, fault.Message);
            return await refusals.ShowAsync(http, "oidc_failed", null, Failed, "");
        }
        if (await operators.FindAsync(person) is not { } who)
            return refusals.TurnAway(http, "no_role", person.Name, NoRole(person.Name));
        await browser.BeginAsync(http, who);
        // The strict cookie does not come with a redirect from the provider's page. Asking again from this page sends
        // it.
        return await writer.RefreshAsync(http, writer.Paths.Next(person.Next));
    }

    private const string Away = "The identity provider does not answer. Try again later, or sign in with a key.";

    private static Refusal Failed =>
        new(
            400,
            "Signing in did not work: the answer is not to a sign-in that this browser began a moment ago, or it does "
                + "not hold. Start again.",
            "sign_in_failed"
        );

    private static Refusal NoRole(string name) =>
        new(
            403,
            $"{name} is known to the identity provider, and has no role here. "
                + "Postern:Operators:Roles says who may do what.",
            "no_role"
        );
}
