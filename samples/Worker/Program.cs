// A worker that fetches its work: claims runs of a pull agent, keeps its lease with heartbeats, reports progress and
// the end.
//
//   curl -X PUT  http://127.0.0.1:7400/api/v1/agents/words -H "Authorization: Bearer $POSTERN_KEY" -d '{"kind":"pull"}'
// curl -X POST http://127.0.0.1:7400/api/v1/runs -H "Authorization: Bearer $POSTERN_KEY" -d
// '{"agent":"words","input":{"text":"count these words"}}'
//   export POSTERN_URL=http://127.0.0.1:7400 POSTERN_KEY=pst_…    a key with write:tasks:words is enough
//   dotnet run --project samples/Worker -- words
//
// Its work is counting words; put yours where WorkAsync counts. It needs no address of its own: it only asks.
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

var agent =
    args.FirstOrDefault()
    ?? throw new InvalidOperationException("Name the agent: dotnet run --project samples/Worker -- words");
var url = Environment.GetEnvironmentVariable("POSTERN_URL") ?? "http://127.0.0.1:7400";
var key =
    Environment.GetEnvironmentVariable("POSTERN_KEY")
    ?? throw new InvalidOperationException("Set POSTERN_KEY to a key of the project.");
const int leaseSeconds = 30;
using var http = new HttpClient { BaseAddress = new Uri(url), Timeout = TimeSpan.FromSeconds(90) };
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, press) =>
{
    // What is under way is finished; nothing new is claimed.
    press.Cancel = true;
    stop.Cancel();
};
Console.WriteLine($"working for {agent} at {url}");

while (!stop.IsCancellationRequested)
{
    try
    {
        // Waits at the server until there is something: no polling, no delay.
        var claimed = await SendAsync(
            key,
            $"/api/v1/agents/{agent}/claim",
            new
            {
                max = 4,
                waitSeconds = 20,
                leaseSeconds,
            }
        );
        await Task.WhenAll(claimed.GetProperty("data").EnumerateArray().Select(TakeAsync));
    }
    catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException)
    {
        Console.WriteLine($"the server cannot be reached: {fault.Message}");
        await Task.Delay(TimeSpan.FromSeconds(2));
    }
}

// One run: the work and its heartbeat side by side. The run's own token opens nothing but this attempt of this run.
async Task TakeAsync(JsonElement claim)
{
    var run = claim.GetProperty("run");
    var (id, token) = (run.GetProperty("id").GetString()!, claim.GetProperty("token").GetString()!);
    using var over = new CancellationTokenSource();
    var heart = BeatAsync(id, token, over);
    try
    {
        var words = await WorkAsync(
            run,
            async progress => await SendAsync(token, $"/api/v1/runs/{id}/status", new { status = "running", progress }),
            over.Token
        );
        // The event id makes a repeat of this report harmless: the same end is never applied twice.
        await SendAsync(
            token,
            $"/api/v1/runs/{id}/status",
            new
            {
                status = "succeeded",
                output = new { words },
                eventId = $"{id}-{run.GetProperty("attempt")}-end",
            }
        );
        Console.WriteLine($"{id}: {words} words");
    }
    catch (OperationCanceledException)
    {
        Console.WriteLine($"{id}: no longer ours");
    }
    catch (LostException)
    {
        Console.WriteLine($"{id}: no longer ours");
    }
    catch (FormatException fault)
    {
        await SendAsync(
            token,
            $"/api/v1/runs/{id}/status",
            new { status = "failed", failure = new { code = "bad_input", message = fault.Message } }
        );
    }
    finally
    {
        await over.CancelAsync();
        await heart;
    }
}

static async Task<int> WorkAsync(JsonElement run, Func<double, Task> progress, CancellationToken over)
{
    if (!run.GetProperty("input").TryGetProperty("text", out var text) || text.ValueKind != JsonValueKind.String)
        throw new FormatException("The input must be {\"text\": \"…\"}.");
    var words = text.GetString()!.Split(' ', StringSplitOptions.RemoveEmptyEntries);
    for (var i = 0; i < words.Length; i++)
    {
        await Task.Delay(50, over);
        if (i % 10 == 9)
            await progress((double)i / words.Length);
    }
    return words.Length;
}

// Three times within the lease. A refusal says that the run was cancelled, has ended, or is another's by now.
async Task BeatAsync(string id, string token, CancellationTokenSource over)
{
    try
    {
        while (true)
        {
            await Task.Delay(TimeSpan.FromSeconds(leaseSeconds / 3), over.Token);
            await SendAsync(token, $"/api/v1/runs/{id}/heartbeat", new { });
        }
    }
    catch (OperationCanceledException)
    {
        // The work is done.
    }
    catch (LostException)
    {
        await over.CancelAsync();
    }
    catch (HttpRequestException)
    {
        // The lease outlives a short outage; if it does not, the next report says so.
    }
}

async Task<JsonElement> SendAsync(string credential, string path, object body)
{
    using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
    request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", credential);
    using var answer = await http.SendAsync(request);
    if (answer.StatusCode == HttpStatusCode.Conflict)
        throw new LostException();
    answer.EnsureSuccessStatusCode();
    return await answer.Content.ReadFromJsonAsync<JsonElement>();
}

/// <summary>The server refused a report: this attempt is over, whatever it has done.</summary>
internal sealed class LostException : Exception;
