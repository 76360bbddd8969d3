using Postern.Access;
using Postern.Http;
using Postern.Settings;
using Postern.Storage;

namespace Postern.Pages;

/// <summary>
/// The console: its files and all of its pages (<see cref="IPages"/>). When it is off, nothing is mapped and every path
/// is 404.
/// </summary>
internal sealed class ConsoleRoutes(PosternOptions options, PageWriter writer, IEnumerable<IPages> all)
{
    private const string KeptForEver = "public, max-age=31536000, immutable";

    public static void Compose(IServiceCollection services) =>
        services
            .AddSingleton<ConsoleRoutes>()
            .AddSingleton<Paths>()
            .AddSingleton<PageWriter>()
            .AddSingleton<PageCounts>()
            .AddSingleton<FormWrites>()
            .AddSingleton<PageStreams>()
            .AddSingleton<StorageNews>()
            .AddSingleton<PageFeeds>()
            .AddSingleton<SignInView>()
            .AddSingleton<SignInReader>()
            .AddSingleton<SignInRefusals>()
            .AddSingleton<BrowserSession>()
            .AddSingleton<OidcOperators>()
            .AddSingleton<OidcSignIn>()
            // Created, with everything that it uses, when somebody first signs in.
            .AddSingleton(s => new Lazy<OidcSignIn>(s.GetRequiredService<OidcSignIn>))
            .AddSingleton<Stuck>()
            .AddSingleton<StuckPages>()
            .AddSingleton<ChartReader>()
            .AddSingleton<IPages, SignInRoutes>()
            .AddSingleton<IPages, OidcRoutes>()
            .AddSingleton<IPages, OverviewPages>()
            .AddSingleton<SessionFinder>()
            .AddSingleton<TranscriptFeed>()
            .AddSingleton<IPages, SessionLists>()
            .AddSingleton<IPages, SessionPages>()
            .AddSingleton<IPages, SessionForms>()
            .AddSingleton<RunFinder>()
            .AddSingleton<RunModelReader>()
            .AddSingleton<IPages, RunLists>()
            .AddSingleton<IPages, RunPages>()
            .AddSingleton<IPages, RunForms>()
            .AddSingleton<IPages, DispatchPages>()
            .AddSingleton<ApprovalFinder>()
            .AddSingleton<IPages, ApprovalPages>()
            .AddSingleton<IPages, DeliveryLists>()
            .AddSingleton<IPages, ApprovalForms>()
            .AddSingleton<IPages, DeliveryPages>()
            .AddSingleton<TriggerFinder>()
            .AddSingleton<IPages, TriggerPages>()
            .AddSingleton<IPages, TriggerForms>()
            .AddSingleton<IPages, CapturePages>()
            .AddSingleton<IPages, EndpointPages>()
            .AddSingleton<IPages, AgentPages>()
            .AddSingleton<IPages, WorkflowPages>()
            .AddSingleton<OwnDoor>()
            .AddSingleton<TestSender>()
            .AddSingleton<DecisionSender>()
            .AddSingleton<HeldQuestion>()
            .AddSingleton<IPages, DecisionPages>()
            .AddSingleton<IPages, PlaygroundPages>()
            .AddSingleton<IPages, PlaygroundForms>()
            .AddSingleton<IPages, TestForms>()
            .AddSingleton<IPages, ListStreams>()
            .AddSingleton<ServerModelReader>()
            .AddSingleton<IPages, ServerPages>()
            .AddSingleton<IPages, RelayPages>()
            .AddSingleton<ExactFinds>()
            .AddSingleton<RunFinds>()
            .AddSingleton<SessionFinds>()
            .AddSingleton<NamedFinds>()
            .AddSingleton<BeginningFinds>()
            .AddSingleton<KeyFinds>()
            .AddSingleton<IPages, BulkAskPages>()
            .AddSingleton<IPages, BulkPages>()
            .AddSingleton<IPages, DoorPages>()
            .AddSingleton<IPages, KeyLists>()
            .AddSingleton<RevokedEverywhere>()
            .AddSingleton<IPages, KeyPages>()
            .AddSingleton<IPages, KeyForms>()
            .AddSingleton<IPages, SecretPages>()
            .AddSingleton<IPages, TokenPages>()
            .AddSingleton<IPages, AuditPages>()
            .AddSingleton<IPages, FindPages>()
            .AddSingleton<IPages, SettingsPages>()
            .AddBackground<ConsoleRetention>();

    public void Map(Doors doors)
    {
        if (!options.Console.Enabled)
            return;
        var pages = new PageDoors(doors, writer);
        pages
            .OfAnyone.Get("/assets/{digest}/{name}", Credentials.Anyone, ReadAsset)
            .WithSummary("A file of the pages")
            .Hide();
        foreach (var one in all)
            one.Map(pages);
    }

    private static Task<IResult> ReadAsset(HttpContext http)
    {
        var name = http.Request.RouteValues["name"] as string ?? "";
        if (http.Request.RouteValues["digest"] as string != Assets.Digest || Assets.Find(name) is not { } file)
            return Task.FromResult<IResult>(new Refusal(404, "Not found", "not_found"));
        return Task.FromResult<IResult>(new AssetResult(name, file));
    }

    private sealed class AssetResult(string name, byte[] file) : IResult
    {
        public async Task ExecuteAsync(HttpContext http)
        {
            ConsoleFamily.Instance.Prepare(http);
            var headers = http.Response.Headers;
            headers.CacheControl = KeptForEver;
            headers.Vary = "Accept-Encoding";
            var sent = file;
            if (http.Request.Headers.AcceptEncoding.ToString().Contains("br", StringComparison.Ordinal))
            {
                headers.ContentEncoding = "br";
                sent = Assets.CompressedOf(name);
            }
            http.Response.ContentType = Assets.TypeOf(name);
            http.Response.ContentLength = sent.Length;
            await http.Response.Body.WriteAsync(sent, http.RequestAborted);
        }
    }
}
