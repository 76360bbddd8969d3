using Postern.Http;
using Scalar.AspNetCore;

namespace Postern.Hosting;

/// <summary>
/// The reference under <c>/docs</c>: a page of ours that contains no script, so its policy allows none inline; and the
/// library's script, behind a door like everything else.
/// </summary>
internal static class ReferencePage
{
    private const string Page = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Postern</title>
        <div id="app"></div>
        <script src="scalar.js"></script>
        <script src="start.js"></script>
        </html>

        """;

    /// <summary>The page loads nothing from other servers: no fonts, no telemetry, no assistant.</summary>
    private const string Start = """
        Scalar.createApiReference("#app", {
          url: "/openapi.json",
          withDefaultFonts: false,
          telemetry: false,
          hideClientButton: true,
          showDeveloperTools: "never",
          agent: { disabled: true },
          mcp: { disabled: true },
        });

        """;

    public static RequestDelegate Make(WebApplication app)
    {
        var library = ((IApplicationBuilder)app).New();
        library.UseRouting();
        library.UseEndpoints(routes => routes.MapScalarApiReference("/docs"));
        var script = library.Build();
        return http => AnswerAsync(http, script);
    }

    private static Task AnswerAsync(HttpContext http, RequestDelegate script)
    {
        var headers = http.Response.Headers;
        (headers.ContentSecurityPolicy, headers.XFrameOptions) = (AnswerHeaders.ReferencePage, "DENY");
        switch (http.Request.Path.Value)
        {
            case "/docs":
                return Results.Redirect("/docs/index.html").ExecuteAsync(http);
            case "/docs/index.html":
                headers.CacheControl = "no-cache";
                return Results.Text(Page, "text/html").ExecuteAsync(http);
            case "/docs/start.js":
                headers.CacheControl = "no-cache";
                return Results.Text(Start, "text/javascript").ExecuteAsync(http);
            case "/docs/scalar.js":
                return ScriptAsync(http, script);
            default:
                return new Refusal(404, "Not found", "not_found").ExecuteAsync(http);
        }
    }

    /// <summary>
    /// The library's middleware runs only when no route was chosen yet, so the chosen route is set aside.
    /// </summary>
    private static async Task ScriptAsync(HttpContext http, RequestDelegate script)
    {
        var endpoint = http.GetEndpoint();
        http.SetEndpoint(null);
        await script(http);
        http.SetEndpoint(endpoint);
    }
}
