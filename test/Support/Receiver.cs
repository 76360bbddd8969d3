using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Postern.Support;

/// <summary>
/// A receiver over real HTTP, as somebody would write it: it accepts requests at any path, keeps them, and answers as
/// told.
/// </summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication _app;

    private Receiver(WebApplication app) => _app = app;

    public ConcurrentQueue<(IHeaderDictionary Headers, string Body)> Taken { get; } = new();

    public Func<int, (int Status, string Body)> Answers { get; set; } = _ => (202, "");

    /// <summary>Answers by hand; null: by <see cref="Answers"/>.</summary>
    public Func<HttpContext, Task>? Handle { get; set; }

    /// <summary>Answers by hand before the request is read or kept; null: everything is kept.</summary>
    public Func<HttpContext, Task>? Raw { get; set; }

    public string Origin => _app.Urls.First();

    public string Url => Origin + "/agent";

    public static async Task<Receiver> StartAsync(string url = "http://127.0.0.1:0")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url);
        var receiver = new Receiver(builder.Build());
        receiver._app.Run(receiver.TakeAsync);
        await receiver._app.StartAsync();
        return receiver;
    }

    /// <summary>Returns the request with a number, counted from 1, when it has come.</summary>
    public async Task<(IHeaderDictionary Headers, JsonElement Body, string Text)> NextAsync(int number = 1)
    {
        await WaitFor.TrueAsync(() => Task.FromResult(Taken.Count >= number));
        var (headers, body) = Taken.ElementAt(number - 1);
        return (headers, JsonSerializer.Deserialize<JsonElement>(body), body);
    }

    /// <summary>Returns the first request whose body has a type, when it has come.</summary>
    public async Task<(IHeaderDictionary Headers, JsonElement Body, string Text)> OfTypeAsync(string type)
    {
        (IHeaderDictionary? Headers, string? Body) found = default;
        await WaitFor.TrueAsync(
            () =>
            {
                found = Taken.FirstOrDefault(t => t.Body.Contains($"\"type\":\"{type}\"", StringComparison.Ordinal));
                return Task.FromResult(found.Body is not null);
            },
            what: $"a request of the type {type}"
        );
        return (found.Headers!, JsonSerializer.Deserialize<JsonElement>(found.Body!), found.Body!);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task TakeAsync(HttpContext http)
    {
        if (Raw is not null)
        {
            await Raw(http);
            return;
        }
        using var reader = new StreamReader(http.Request.Body);
        Taken.Enqueue(
            (
                new HeaderDictionary(
                    http.Request.Headers.ToDictionary(h => h.Key, h => h.Value, StringComparer.OrdinalIgnoreCase)
                ),
                await reader.ReadToEndAsync()
            )
        );
        if (Handle is not null)
        {
            await Handle(http);
            return;
        }
        var (status, body) = Answers(Taken.Count);
        http.Response.StatusCode = status;
        if (body.Length > 0)
            http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(body);
    }
}
