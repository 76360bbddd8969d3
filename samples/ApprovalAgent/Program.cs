// An agent that asks a person before it does something dangerous: it "drops" a table, when somebody has approved that.
//
// export AGENT_SECRET=whsec_… POSTERN_URL=http://127.0.0.1:7400 the secret that PUT /api/v1/agents/{slug} answered with
//   dotnet run --project samples/ApprovalAgent -- --urls http://127.0.0.1:7501
//   curl … /api/v1/runs -d '{"agent":"careful","input":{"table":"orders"}}'
//
// It prints the link for the person. Whoever plays the approval service instead: node samples/ApprovalAgent/decide.mjs
// REQUEST approved
//
// The dispatch is kept in a file until the work is done, so that the agent may be restarted while somebody thinks.
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

var builder = WebApplication.CreateSlimBuilder(args);
var secret =
    builder.Configuration["AGENT_SECRET"]
    ?? throw new InvalidOperationException("Set AGENT_SECRET to the agent's whsec_ secret.");
var server = builder.Configuration["POSTERN_URL"] ?? "http://127.0.0.1:7400";
var pending = Directory.CreateDirectory(builder.Configuration["AGENT_DATA"] ?? "pending").FullName;
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
        var told = JsonSerializer.Deserialize<JsonElement>(body);
        var data = told.GetProperty("data");
        switch (told.GetProperty("type").GetString())
        {
            case "run.dispatched":
                var run = data.GetProperty("run").GetProperty("id").GetString()!;
                await File.WriteAllTextAsync(FileOf(run), data.GetRawText());
                await AskAsync(
                    data,
                    data.GetProperty("run").GetProperty("input").GetProperty("table").GetString()!,
                    "all of it"
                );
                break;
            case "approval.decided":
                await ResumeAsync(data);
                break;
            case "run.cancelled" or "run.timed_out":
                File.Delete(FileOf(data.GetProperty("run").GetProperty("id").GetString()!));
                break;
        }
        // An answer other than 2xx would bring it again: what failed above was thrown, and is.
        request.Response.StatusCode = 202;
    }
);
await app.RunAsync();

// Asking the same again is harmless: the server answers with the question that is open.
async Task AskAsync(JsonElement dispatch, string table, string scope)
{
    var asked = await CallAsync(
        dispatch,
        $"/api/v1/executions/{dispatch.GetProperty("run").GetProperty("id").GetString()}/request-approval",
        new
        {
            title = $"Drop the table {table}",
            description = $"The agent wants to delete {scope}. This cannot be undone.",
            payload = new { sql = scope == "all of it" ? $"DROP TABLE {table}" : $"DELETE FROM {table} WHERE {scope}" },
            expires_in_hours = 8,
        }
    );
    // The link to the page is not for who asks: whoever may decide finds it at GET /api/v1/approvals/{id}.
    Console.WriteLine($"asked {asked.GetProperty("approval_request_id").GetString()}");
}

// The decision may come twice, like every delivery: without its file the work is done already.
async Task ResumeAsync(JsonElement decided)
{
    var file = FileOf(decided.GetProperty("execution_id").GetString()!);
    if (!File.Exists(file))
        return;
    var dispatch = JsonSerializer.Deserialize<JsonElement>(await File.ReadAllTextAsync(file));
    var table = dispatch.GetProperty("run").GetProperty("input").GetProperty("table").GetString()!;
    switch (decided.GetProperty("decision").GetString())
    {
        case "approved":
            Console.WriteLine($"dropped {table}");
            await CallAsync(
                dispatch,
                $"/api/v1/runs/{dispatch.GetProperty("run").GetProperty("id").GetString()}/status",
                new
                {
                    status = "succeeded",
                    output = new { dropped = table },
                    eventId = "end",
                }
            );
            break;
        case "request_changes":
            // The next round: what the person has said decides what is asked for now.
            await AskAsync(
                dispatch,
                table,
                decided.TryGetProperty("feedback", out var feedback) ? feedback.GetString()! : "less"
            );
            return;
        default:
            Console.WriteLine($"kept {table}");
            break;
    }
    File.Delete(file);
}

async Task<JsonElement> CallAsync(JsonElement dispatch, string path, object body)
{
    using var call = new HttpRequestMessage(HttpMethod.Post, server + path) { Content = JsonContent.Create(body) };
    call.Headers.Authorization = new AuthenticationHeaderValue("Bearer", dispatch.GetProperty("token").GetString());
    using var answer = await http.SendAsync(call);
    var text = await answer.Content.ReadAsStringAsync();
    // A report that was taken before, or a run that has ended meanwhile, is no fault.
    if (!answer.IsSuccessStatusCode && (int)answer.StatusCode != 409)
        throw new HttpRequestException($"{path} answered {(int)answer.StatusCode}: {text}");
    return JsonSerializer.Deserialize<JsonElement>(text);
}

string FileOf(string run) => Path.Combine(pending, Path.GetFileName(run) + ".json");

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
