using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// Signing in by an identity provider: there and back. Two doors, and no middleware: what the provider's answer is
/// worth is judged by <see cref="OidcSignIn"/>, which is neither made nor loaded where the settings name no provider.
/// </summary>
internal sealed class OidcRoutes(
    SignInView view,
    BrowserSession browser,
    PageWriter writer,
    FailedCredentials failed,
    AccessWatch access,
    PosternOptions options,
    Projects projects,
    IServiceProvider services,
    ILogger<OidcRoutes> log
) : IPages
{
    private readonly OperatorRoles _roles = new(options);

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

    private Refusal? WhyNot(HttpContext http) =>
        options.Console.Oidc.IsOn() ? browser.WhyNotHere(http) : PageRefusals.NotFound;

    private async Task<IResult> LeaveAsync(HttpContext http)
    {
        var next = http.Request.Query["next"].ToString();
        ConsoleFamily.Instance.Prepare(http);
        try
        {
            await SignIn().StartAsync(http, next);
            return Results.Empty;
        }
        catch (OidcFaultException fault)
        {
            OidcLog.Away(log, fault.Message);
            return await view.ShowAsync(http, 503, Away, next);
        }
    }

    private async Task<IResult> ReturnAsync(HttpContext http)
    {
        // Whose session it will be is asked of access as it is now.
        await access.EnsureRecentAsync();
        OidcPerson person;
        try
        {
            person = await SignIn().FinishAsync(http);
        }
        catch (OidcFaultException fault)
        {
            OidcLog.Failed(log, fault.Message);
            var refused = failed.Refuse(http, "oidc_failed", null, new Refusal(400, Failed, "sign_in_failed"));
            return refused.Status == 400 ? await view.ShowAsync(http, 400, Failed, "") : refused;
        }
        var names = _roles.NamesOf(person.Name, person.Groups);
        if (names.Count == 0 || await projects.DefaultAsync() is not { } project)
            return failed.Refuse(
                http,
                "no_role",
                Audit.Hashed(person.Name),
                new Refusal(
                    403,
                    $"{person.Name} is known to the identity provider, and has no role here. "
                        + "Postern:Operators:Roles says who may do what.",
                    "no_role"
                )
            );
        await browser.BeginAsync(http, new ConsolePerson(project, ConsolePerson.OfOidc + person.Name, Roles: names));
        // The strict cookie does not come with what the provider's page led to: the page is asked for from here.
        return await writer.AgainAsync(http, writer.Paths.Next(person.Next));
    }

    /// <summary>Made, with all that it uses, by the first who signs in.</summary>
    private OidcSignIn SignIn() => services.GetRequiredService<OidcSignIn>();

    private const string Away = "The identity provider does not answer. Try again later, or sign in with a key.";

    private const string Failed =
        "Signing in did not work: the answer is not to a sign-in that this browser began a moment ago, or it does not "
        + "hold. Start again.";
}
