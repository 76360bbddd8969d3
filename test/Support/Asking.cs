using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Postern.Support;

/// <summary>
/// Runs that wait for a person, and the deciders: an approval service with a secret, which signs as an outside service
/// would.
/// </summary>
internal sealed class Asking
{
    public const string Secret = "the approval service's secret";
    private readonly TestServer _server;

    private Asking(TestServer server) => _server = server;

    public static async Task<Asking> PrepareAsync(TestServer server)
    {
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var put = await server.SendAsync(
            HttpMethod.Put,
            "/api/v1/approval-services/default",
            server.RootKey,
            new { secrets = new[] { Secret } }
        );
        Assert.True(put.Status is 201 or 200, put.ToString());
        return new Asking(server);
    }

    /// <summary>A run of the agent <c>p</c> that a worker has, and its token.</summary>
    public async Task<(string Run, string Token, JsonElement Claimed)> RunningAsync(int lease = 3600)
    {
        var id = (await _server.PostAsync("/api/v1/runs", new { agent = "p", input = 1 })).String("id");
        var claimed = (
            await _server.PostAsync("/api/v1/agents/p/claim", new { waitSeconds = 10, leaseSeconds = lease })
        ).Json.GetProperty("data")[0];
        return (
            claimed.GetProperty("run").GetProperty("id").GetString()!,
            claimed.GetProperty("token").GetString()!,
            claimed
        );
    }

    /// <summary>Asks with the run's own token, as its worker does.</summary>
    public async Task<Answer> AskAsync(string run, string token, object? body = null)
    {
        var asked = await _server.PostAsync(
            $"/api/v1/executions/{run}/request-approval",
            body ?? new { title = "Delete it?" },
            token
        );
        Assert.True(asked.Status == 200, asked.ToString());
        return asked;
    }

    /// <summary>A run that waits, and the id of its question.</summary>
    public async Task<(string Run, string Token, string Request)> WaitingAsync(object? body = null)
    {
        var (run, token, _) = await RunningAsync();
        return (run, token, (await AskAsync(run, token, body)).String("approval_request_id"));
    }

    public static (string, string) Sign(string body, string secret = Secret) => ("X-Hax-Signature", Hex(secret, body));

    /// <summary>As GitHub signs.</summary>
    public static (string, string) Sign256(string body, string secret) =>
        ("X-Hub-Signature-256", "sha256=" + Hex(secret, body));

    public static string Hex(string secret, string text) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(text)));

    /// <summary>Sends a decision through the signed route.</summary>
    public Task<Answer> DecideAsync(string request, string decision, string? feedback = null, string secret = Secret) =>
        SendAsync(
            JsonSerializer.Serialize(
                new
                {
                    requestId = request,
                    decision,
                    feedback,
                }
            ),
            secret
        );

    public Task<Answer> SendAsync(string body, string secret = Secret) =>
        _server.SendAsync(
            HttpMethod.Post,
            "/api/v1/webhooks/approval-response",
            null,
            Encoding.UTF8.GetBytes(body),
            Sign(body, secret)
        );

    public async Task<JsonElement> RunAsync(string run) => (await _server.GetAsync("/api/v1/runs/" + run)).Json;

    public async Task<JsonElement> StatusAsync(string run) =>
        (await _server.GetAsync($"/api/v1/executions/{run}/approval-status")).Json;

    public async Task<List<JsonElement>> EventsAsync(string run) =>
        [.. (await _server.GetAsync($"/api/v1/runs/{run}/events?limit=500")).Json.GetProperty("data").EnumerateArray()];

    /// <summary>Returns the path of the link to a question, as a person who may decide finds it.</summary>
    public async Task<string> LinkAsync(string request) =>
        new Uri(
            (await _server.GetAsync("/api/v1/approvals/" + request, await DeciderAsync())).String("request_url")
        ).AbsolutePath;

    /// <summary>A key with the explicit right to decide.</summary>
    public Task<string> DeciderAsync() => _server.KeyAsync("write:approvals", "read:approvals", "read:runs");
}
