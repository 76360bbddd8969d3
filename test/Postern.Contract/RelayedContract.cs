using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Postern.Relay.Plane;
using Postern.Support;

namespace Postern.Contract;

/// <summary>A relay and a server that joined it, both complete: from a provider's webhook to a run.</summary>
public sealed class RelayedContract
{
    private const string Secret = "a secret of github, of 24 characters";

    [Theory]
    [InlineData(Backend.Sqlite, "websocket")]
    [InlineData(Backend.Postgres, "websocket")]
    [InlineData(Backend.Sqlite, "poll")]
    internal async Task A_webhook_at_the_relay_starts_a_run_at_the_plane(Backend backend, string transport)
    {
        await using var relay = await RelayNode.StartAsync(backend);
        await using var server = await TestServer.StartAsync(
            backend,
            o => (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, transport)
        );
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await MakeTriggerAsync(server, "hook");
        var code = await relay.CodeAsync();
        var joined = await server
            .App.Services.GetRequiredService<PlaneEnrolment>()
            .JoinAsync(code.ToString(), "test", default);
        var at = new Uri(joined.Url).AbsolutePath;
        await OpenAsync(relay, at + "/inbound/user/u/hook");

        // Right, again, wrong: each answered as the server itself would.
        var first = await relay.PostAsync(at + "/inbound/user/u/hook", "{\"a\":1}", Signed("{\"a\":1}"));
        Assert.True(first.Status == 200, first.ToString());
        Assert.NotNull(first.Header("Postern-Receipt"));
        var again = await relay.PostAsync(at + "/inbound/user/u/hook", "{\"a\":1}", Signed("{\"a\":1}"));
        Assert.Contains("\"duplicate\":true", again.Text, StringComparison.Ordinal);
        var wrong = await relay.PostAsync(at + "/inbound/user/u/hook", "{\"a\":2}", Signed("{\"a\":1}"));
        var direct = await server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/u/hook",
            null,
            "{\"a\":2}",
            Signed("{\"a\":1}")
        );
        Assert.Equal((401, direct.Text), (wrong.Status, wrong.Text));
        var runs = await server.GetAsync("/api/v1/runs");
        Assert.Equal(1, runs.Json.GetProperty("data").GetArrayLength());

        // A route that is not relayed does not exist there, whatever a request contains. A new trigger is there soon.
        foreach (var path in new[] { "/api/v1/runs", "/api/v1/sessions", "/healthz", "/inbound/user/u/other" })
            Assert.Equal(404, (await relay.PostAsync(at + path, "{}", Signed("{}"))).Status);
        await MakeTriggerAsync(server, "other");
        await OpenAsync(relay, at + "/inbound/user/u/other");
        Assert.Equal(200, (await relay.PostAsync(at + "/inbound/user/u/other", "{}", Signed("{}"))).Status);
    }

    private static Task<Answer> MakeTriggerAsync(TestServer server, string id) =>
        server.PostAsync(
            "/api/triggers/user/u/" + id,
            new
            {
                agent = "idle",
                promptTemplate = "{{body}}",
                webhookAuth = new { scheme = "github", secret = Secret },
            }
        );

    /// <summary>Until the relay knows the door: a GET of it is another method, and not nothing.</summary>
    private static Task OpenAsync(RelayNode relay, string path) =>
        WaitFor.TrueAsync(async () => (await relay.SendAsync(HttpMethod.Get, path)).Status == 405);

    private static (string, string) Signed(string body) =>
        (
            "X-Hub-Signature-256",
            "sha256="
                + Convert.ToHexStringLower(
                    HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.UTF8.GetBytes(body))
                )
        );
}
