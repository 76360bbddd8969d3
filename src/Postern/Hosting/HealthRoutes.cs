using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>
/// The routes that need no credential: whether the server is alive, whether it can serve, and what it offers.
/// </summary>
internal sealed class HealthRoutes(Database database, IServiceProvider services)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private byte[]? _document;

    public void Map(Doors doors, RequestDelegate referencePage)
    {
        var root = doors.Group("", ProblemFormat.Instance);
        root.Get("/", Credentials.Anyone, Welcome).Hide();
        root.Get("/healthz", Credentials.Anyone, Healthy)
            .WithSummary("The process lives")
            .Produces<HealthView>()
            .Produces(400);
        root.Get("/readyz", Credentials.Anyone, Ready)
            .WithSummary("The database is reachable and migrated")
            .Produces<HealthView>()
            .Produces(400, 503);
        root.Get("/openapi.json", Credentials.Anyone, Document).Hide();
        root.Get(
                "/docs/{**page}",
                Credentials.Anyone,
                async http =>
                {
                    await referencePage(http);
                    return Results.Empty;
                }
            )
            .Hide();
    }

    /// <summary>Returns links to go on from: a page for a browser, JSON for others.</summary>
    private static Task<IResult> Welcome(HttpContext http)
    {
        http.Response.Headers.Vary = "Accept";
        return Task.FromResult(
            http.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase)
                ? Results.Content(WelcomePage, "text/html; charset=utf-8")
                : Reply.Ok(new WelcomeView("Postern", "/docs", "/openapi.json", "/healthz", "/readyz"))
        );
    }

    private const string WelcomePage = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <title>Postern</title>
        <h1>Postern</h1>
        <p>This server keeps the conversations of agents and starts their work. It is meant for programs.</p>
        <ul>
        <li><a href="/docs">Every route, to be tried with a key</a></li>
        <li><a href="/openapi.json">The same as an OpenAPI document</a></li>
        <li><a href="/readyz">Whether the server can serve</a></li>
        </ul>
        </html>

        """;

    private static Task<IResult> Healthy(HttpContext http) =>
        Task.FromResult(Reply.Ok(new HealthView("ok", null, null)));

    private async Task<IResult> Ready(HttpContext http)
    {
        StorageUse.Begin(StorageUse.Vital);
        try
        {
            var version = await Migrations.VersionAsync(database).AsTask().WaitAsync(Patience, http.RequestAborted);
            if (version != Migrations.Newest)
            {
                var message = $"The database has schema {version}, this node knows {Migrations.Newest}.";
                return new Refusal(503, message, "not_migrated");
            }
            // Reading is not enough: only a write shows a full disk, a foreign lock or a standby.
            return await database.Writes.TakesWritesAsync(database).WaitAsync(Patience, http.RequestAborted)
                ? Reply.Ok(new HealthView("ready", database.Kind, version))
                : Refusal.Unavailable("The database takes no writes now.");
        }
        catch (Exception fault) when (fault is StorageUnavailableException or TimeoutException)
        {
            return Refusal.Unavailable("The database cannot be reached.");
        }
    }

    private Task<IResult> Document(HttpContext http) =>
        Task.FromResult(
            Reply.Bytes(200, _document ??= OpenApiDocument.Render(services.GetRequiredService<DoorTable>().Doors.Table))
        );
}
