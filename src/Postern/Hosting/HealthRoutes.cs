using System.Text.Json;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Postern.Access;
using Postern.Http;
using Postern.Storage;

namespace Postern.Hosting;

/// <summary>What anyone may ask: whether the server lives, whether it can serve, and what it offers.</summary>
internal sealed class HealthRoutes(Database database, IServiceProvider services)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private byte[]? _document;

    public void Map(Doors doors, RequestDelegate referencePage)
    {
        var root = doors.Group("", ProblemFamily.Instance);
        root.Get("/", Opens.Anyone, Welcome).Hide();
        root.Get("/healthz", Opens.Anyone, Healthy).Says("The process lives").Gives<HealthView>();
        root.Get("/readyz", Opens.Anyone, Ready).Says("The database is reachable and migrated").Gives<HealthView>().Gives(503);
        root.Get("/openapi.json", Opens.Anyone, Document).Hide();
        root.Get("/docs/{**page}", Opens.Anyone, async http =>
        {
            await referencePage(http);
            return Results.Empty;
        }).Hide();
    }

    /// <summary>Where to go from here: a page for a browser, JSON for others.</summary>
    private static Task<IResult> Welcome(HttpContext http)
    {
        http.Response.Headers.Vary = "Accept";
        return Task.FromResult(
            http.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase)
            ? Results.Content(WelcomePage, "text/html; charset=utf-8")
            : Reply.Ok(new WelcomeView("Postern", "/docs", "/openapi.json", "/healthz", "/readyz")));
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

    private static Task<IResult> Healthy(HttpContext http) => Task.FromResult(Reply.Ok(new HealthView("ok", null, null)));

    private async Task<IResult> Ready(HttpContext http)
    {
        StorageUse.Begin(StorageUse.Vital);
        try
        {
            var version = await Migrations.VersionAsync(database).AsTask().WaitAsync(Patience, http.RequestAborted);
            if (version != Migrations.Newest)
            {
                var words = $"The database has schema {version}, this node knows {Migrations.Newest}.";
                return new Refusal(503, words, "not_migrated");
            }
            // Reading is not enough: a full disk, a foreign lock or a replica is seen by those who write.
            return await database.Writes.TakesWritesAsync(database).WaitAsync(Patience, http.RequestAborted)
                ? Reply.Ok(new HealthView("ready", database.Kind, version))
                : Refusal.Unavailable("The database takes no writes now.");
        }
        catch (Exception fault) when (fault is StorageUnavailableException or TimeoutException)
        {
            return Refusal.Unavailable("The database cannot be reached.");
        }
    }

    private async Task<IResult> Document(HttpContext http) => Reply.Bytes(200, _document ??= await RenderAsync(services, http.RequestAborted));

    /// <summary>The document as the golden file holds it: its members in a fixed order, indented.</summary>
    public static async Task<byte[]> RenderAsync(IServiceProvider services, CancellationToken cancel)
    {
        var document = await services.GetRequiredKeyedService<IOpenApiDocumentProvider>("v1").GetOpenApiDocumentAsync(cancel);
        var text = await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1, cancel);
        using var json = JsonDocument.Parse(text);
        using var buffer = new MemoryStream();
        await using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) WriteSorted(json.RootElement, writer, depth: 0);
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    /// <summary>Paths and schemas are sorted, so that the order of declarations is no difference.</summary>
    private static void WriteSorted(JsonElement value, Utf8JsonWriter writer, int depth)
    {
        if (value.ValueKind == JsonValueKind.Object)
        {
            writer.WriteStartObject();
            var members = depth is 1 or 2 ? value.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal) : (IEnumerable<JsonProperty>)value.EnumerateObject();
            foreach (var member in members)
            {
                writer.WritePropertyName(member.Name);
                WriteSorted(member.Value, writer, depth + 1);
            }
            writer.WriteEndObject();
        }
        else value.WriteTo(writer);
    }
}

internal sealed record WelcomeView(string Name, string Docs, string Openapi, string Health, string Readiness);

internal sealed record HealthView(string Status, string? Database, int? Schema);
