// An agent over HTTP: takes a dispatch, verifies its signature, answers 202, and streams its answer to the session.
//
//   export AGENT_SECRET=whsec_…          the secret that PUT /api/v1/agents/{slug} answered with
//   dotnet run --project samples/HttpAgent -- --urls http://127.0.0.1:7500
//
// It thinks by counting the words it was told; put your model where Think is.
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

var builder = WebApplication.CreateSlimBuilder(args);
var secret =
    builder.Configuration["AGENT_SECRET"]
    ?? throw new InvalidOperationException("Set AGENT_SECRET to the agent's whsec_ secret.");
var app = builder.Build();
using var http = new HttpClient();

app.MapPost(
    "/agent",
    async request =>
    {
        using var reader = new StreamReader(request.Request.Body);
        var body = await reader.ReadToEndAsync();
        if (!Signature.Verify(secret, request.Request.Headers, body, TimeProvider.System.GetUtcNow()))
        {
            request.Response.StatusCode = 401;
            return;
        }
        var dispatch = JsonSerializer.Deserialize<JsonElement>(body);
        // Taken on: the answer goes out now, the work goes on. A repeat of the same dispatch appends the same parts,
        // which stay one.
        if (dispatch.GetProperty("type").GetString() == "run.dispatched")
        {
            var data = dispatch.GetProperty("data");
            _ = data.TryGetProperty("session", out _)
                ? AnswerAsync(data, request.Request.Headers["webhook-id"].ToString())
                : ReportAsync(data);
        }
        request.Response.StatusCode = 202;
    }
);
await app.RunAsync();

// A run without a session: its end is reported where the dispatch says, under an event id that makes a repeat harmless.
async Task ReportAsync(JsonElement run)
{
    var callback = run.GetProperty("callback");
    using var report = new HttpRequestMessage(HttpMethod.Post, callback.GetProperty("url").GetString())
    {
        Content = JsonContent.Create(
            new
            {
                status = "succeeded",
                output = $"{run.GetProperty("run").GetProperty("input").GetRawText().Length} characters of input",
                eventId = "end",
            }
        ),
    };
    foreach (var header in callback.GetProperty("headers").EnumerateObject())
        report.Headers.Add(header.Name, header.Value.GetString());
    using var answer = await http.SendAsync(report);
    if (!answer.IsSuccessStatusCode)
        app.Logger.LogWarning("The report was refused: {Answer}", await answer.Content.ReadAsStringAsync());
}

async Task AnswerAsync(JsonElement run, string turn)
{
    try
    {
        var place = 0;
        await AppendAsync(new { data = new { type = "start", messageId = turn } });
        await AppendAsync(new { data = new { type = "text-start", id = "0" } });
        foreach (var word in Think(run.GetProperty("session").GetProperty("messages")))
        {
            var stopAsked = await AppendAsync(
                new
                {
                    data = new
                    {
                        type = "text-delta",
                        id = "0",
                        delta = word,
                    },
                }
            );
            if (stopAsked)
                break;
        }
        await AppendAsync(new { data = new { type = "text-end", id = "0" } });
        await AppendAsync(new { headers = new Dictionary<string, string> { ["trigger-control"] = "turn-complete" } });

        // One record a call, under a part id made of the turn and the place in it; true when somebody asked the turn to
        // stop.
        async Task<bool> AppendAsync(object record)
        {
            var node = JsonSerializer.SerializeToNode(record)!.AsObject();
            node["partId"] = $"{turn}:{place++}";
            using var append = new HttpRequestMessage(
                HttpMethod.Post,
                run.GetProperty("out").GetProperty("url").GetString()
            )
            {
                Content = JsonContent.Create(new { records = new[] { node } }),
            };
            append.Headers.Authorization = new AuthenticationHeaderValue(
                "Bearer",
                run.GetProperty("token").GetString()
            );
            using var answer = await http.SendAsync(append);
            answer.EnsureSuccessStatusCode();
            return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("stopAsked").GetBoolean();
        }
    }
    catch (HttpRequestException fault)
    {
        // The session was closed, or the turn timed out and is no longer ours: the server has told the client already.
        app.Logger.LogWarning("{Turn} was not finished: {Reason}", turn, fault.Message);
    }
}

static IEnumerable<string> Think(JsonElement messages)
{
    var told = messages
        .EnumerateArray()
        .Last(m => m.GetProperty("role").GetString() == "user")
        .GetProperty("content")
        .EnumerateArray()
        .First()
        .GetProperty("text")
        .GetString()!;
    yield return "You ";
    yield return "said ";
    yield return $"{told.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length} ";
    yield return "words.";
}

/// <summary>
/// Standard Webhooks 1.0 (https://www.standardwebhooks.com): HMAC-SHA256 over <c>id.timestamp.body</c>, five minutes of
/// tolerance.
/// </summary>
internal static class Signature
{
    public static bool Verify(string secret, IHeaderDictionary headers, string body, DateTimeOffset now)
    {
        if (
            !long.TryParse(headers["webhook-timestamp"], out var seconds)
            || Math.Abs(now.ToUnixTimeSeconds() - seconds) > 300
        )
            return false;
        var expected = HMACSHA256.HashData(
            Convert.FromBase64String(secret["whsec_".Length..]),
            Encoding.UTF8.GetBytes($"{headers["webhook-id"]}.{seconds}.{body}")
        );
        var actual = new byte[expected.Length];
        foreach (var signature in headers["webhook-signature"].ToString().Split(' '))
            if (
                signature.StartsWith("v1,", StringComparison.Ordinal)
                && Convert.TryFromBase64String(signature[3..], actual, out var length)
                && length == actual.Length
                && CryptographicOperations.FixedTimeEquals(expected, actual)
            )
                return true;
        return false;
    }
}
