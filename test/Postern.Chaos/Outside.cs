using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Postern.Support;

namespace Postern.Chaos;

/// <summary>
/// The servers that the server calls: an agent of the kind http, and endpoints that are good, slow, wrong or gone. The
/// answer to a delivery depends on its id and the seed.
/// </summary>
internal sealed class Outside(Plan plan, Ledger ledger) : IAsyncDisposable
{
    public static readonly string[] Endpoints = ["good", "slow", "wrong", "gone"];
    private Receiver _receiver = null!;

    /// <summary>Makes the agent's report after its answer. It is set before the first dispatch.</summary>
    public Func<JsonElement, Random, Task> Works { get; set; } = (_, _) => Task.CompletedTask;

    public string Url(string name) => $"{_receiver.Origin}/{name}";

    public async Task StartAsync()
    {
        _receiver = await Receiver.StartAsync();
        _receiver.Raw = AnswerAsync;
    }

    public ValueTask DisposeAsync() => _receiver.DisposeAsync();

    private async Task AnswerAsync(HttpContext http)
    {
        using var reader = new StreamReader(http.Request.Body, Encoding.UTF8);
        var text = await reader.ReadToEndAsync();
        var (name, id) = (http.Request.Path.Value![1..], http.Request.Headers["webhook-id"].ToString());
        var random = plan.RandomOf(id + http.Request.Headers["webhook-attempt"]);
        if (name == "agent")
            await BeAgentAsync(http, text, random);
        else
            await BeEndpointAsync(http, name, id, text, random);
    }

    private async Task BeAgentAsync(HttpContext http, string text, Random random)
    {
        var body = JsonSerializer.Deserialize<JsonElement>(text);
        if (body.GetProperty("type").GetString() != "run.dispatched")
        {
            http.Response.StatusCode = 204;
            return;
        }
        switch (random.Next(12))
        {
            case 0:
                http.Response.StatusCode = 500;
                return;
            case 1:
                http.Response.StatusCode = 422;
                return;
            case 2:
                // Longer than the server waits.
                await Task.Delay(2500);
                http.Response.StatusCode = 202;
                return;
            case 3:
                http.Abort();
                return;
            case 4 or 5 or 6:
                http.Response.ContentType = "application/json";
                await http.Response.WriteAsync("""{"status":"succeeded","output":"done"}""");
                return;
            case 7:
                http.Response.StatusCode = 202;
                return; // It forgets the work: a deadline ends it.
            default:
                http.Response.StatusCode = 202;
                await http.Response.CompleteAsync();
                _ = Works(body.GetProperty("data"), random);
                return;
        }
    }

    private async Task BeEndpointAsync(HttpContext http, string name, string id, string text, Random random)
    {
        http.Response.StatusCode = 200;
        if (name == "slow")
            await Task.Delay(random.Next(1500));
        if (name == "wrong")
            http.Response.StatusCode = random.Next(5) switch
            {
                0 => 500,
                1 => 429,
                2 => 404,
                3 => 302,
                _ => 200,
            };
        if (name == "gone" && random.Next(10) == 0)
            http.Response.StatusCode = 410;
        if (name != "good")
            return;
        var body = JsonSerializer.Deserialize<JsonElement>(text);
        var data = body.GetProperty("data");
        ledger.Write(
            "delivered",
            new
            {
                id,
                type = body.GetProperty("type").GetString(),
                subject = data.TryGetProperty("runId", out var run) ? run.GetString() : "",
            }
        );
    }
}
