using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Postern.Relay.Plane;
using Postern.Support;

namespace Postern.Contract;

/// <summary>The relay and a server behind it, both complete, as a sender sees them.</summary>
public sealed class RelayedServerContract
{
    private const string Secret = "a secret of github, of 24 characters";

    private static (string, string) GitHub(string body) =>
        (
            "X-Hub-Signature-256",
            "sha256="
                + Convert.ToHexStringLower(
                    System.Security.Cryptography.HMACSHA256.HashData(
                        Encoding.UTF8.GetBytes(Secret),
                        Encoding.UTF8.GetBytes(body)
                    )
                )
        );

    private static async Task<(TestServer Server, JoinedPlane Plane)> StartAsync(
        RelayNode relay,
        Backend backend,
        string transport,
        string? postgres = null
    )
    {
        var server = await TestServer.StartAsync(
            backend,
            o => (o.Relay.DangerousPlainHttp, o.Relay.Transport) = (true, transport),
            postgres
        );
        var code = await relay.CodeAsync();
        var plane = await server
            .App.Services.GetRequiredService<PlaneEnrolment>()
            .JoinAsync(code.ToString(), "office", default);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        await server.PostAsync("/api/triggers/user/u/hook", Hook);
        await ConnectedAsync(server);
        return (server, plane);
    }

    private static object Hook =>
        new
        {
            agent = "idle",
            promptTemplate = "{{body}}",
            webhookAuth = new { scheme = "github", secret = Secret },
        };

    private static Task ConnectedAsync(TestServer server) =>
        WaitFor.TrueAsync(
            async () =>
                (await server.GetAsync("/api/v1/relay")).Json.GetProperty("data")[0].GetProperty("connection") is var c
                && c.TryGetProperty("transport", out var by)
                && by.ValueKind == JsonValueKind.String,
            what: "the relay is connected"
        );

    private static Task<Answer> SendAsync(
        RelayNode relay,
        JoinedPlane plane,
        string path,
        string body,
        params (string, string)[] headers
    ) => relay.PostAsync(new Uri(plane.Url).AbsolutePath + path, body, headers);

    /// <summary>Until the relay has heard of a door.</summary>
    private static async Task<Answer> OpenAsync(RelayNode relay, JoinedPlane plane, string path, string body)
    {
        Answer answer = null!;
        await WaitFor.TrueAsync(async () =>
            (answer = await SendAsync(relay, plane, path, body, GitHub(body))).Status != 404
        );
        return answer;
    }

    [Theory]
    [InlineData(Backend.Sqlite, "websocket")]
    [InlineData(Backend.Sqlite, "poll")]
    [InlineData(Backend.Postgres, "websocket")]
    public async Task A_sender_outside_gets_the_servers_own_answer(Backend backend, string transport)
    {
        await using var relay = await RelayNode.StartAsync(backend, o => o.Operators.TrustedProxies = []);
        var (server, plane) = await StartAsync(relay, backend, transport);
        await using var _ = server;
        var taken = await OpenAsync(relay, plane, "/inbound/user/u/hook", "{\"n\":1}");
        Assert.True(taken.Status == 200 && taken.Text.Contains("captured", StringComparison.Ordinal), taken.ToString());
        Assert.NotNull(taken.Header("Postern-Receipt"));
        var again = await SendAsync(relay, plane, "/inbound/user/u/hook", "{\"n\":1}", GitHub("{\"n\":1}"));
        Assert.Contains("\"duplicate\":true", again.Text, StringComparison.Ordinal);
        var wrong = await SendAsync(relay, plane, "/inbound/user/u/hook", "{\"n\":2}", GitHub("{\"n\":1}"));
        Assert.Equal(401, wrong.Status);
        foreach (var path in (string[])["/api/v1/runs", "/healthz", "/inbound/user/u/other"])
            Assert.Equal(404, (await SendAsync(relay, plane, path, "{}")).Status);
        var key = await SendAsync(relay, plane, "/inbound/user/u/hook", "{}", ("X-API-Key", server.RootKey));
        Assert.Equal(400, key.Status);

        // A worker outside reports by a message that its token signs.
        var run = (await server.PostAsync("/api/v1/runs", new { agent = "idle" })).String("id");
        (string Name, string Value)[] headers = [];
        for (var found = false; !found; )
        {
            var claimed = await server.PostAsync("/api/v1/agents/idle/claim", new { waitSeconds = 10, max = 1 });
            var item = claimed.Json.GetProperty("data")[0];
            found = item.GetProperty("run").GetProperty("id").GetString() == run;
            var said = item.GetProperty("callback").GetProperty("headers").EnumerateObject();
            headers = [.. said.Select(h => (h.Name, h.Value.GetString()!))];
        }
        var token = headers.Single(h => h.Name == "X-Callback-Token").Value;
        var body = "{\"status\":\"succeeded\",\"output\":\"outside\"}";
        var report = await SendAsync(
            relay,
            plane,
            $"/api/v1/runs/{run}/status",
            body,
            [
                .. StandardSigner.Sign(token, $"{run}:end", Encoding.UTF8.GetBytes(body)),
                .. headers.Where(h => h.Name != "X-Callback-Token"),
            ]
        );
        Assert.True(report.Status == 200, report.ToString());
        Assert.Equal("succeeded", (await server.GetAsync("/api/v1/runs/" + run)).String("status"));
    }

    [Fact]
    public async Task Requests_during_an_absence_of_the_server_are_stored_and_answered_on_its_return()
    {
        await using var relay = await RelayNode.StartAsync();
        var database = PostgresServer.NewDatabase();
        var (server, plane) = await StartAsync(relay, Backend.Postgres, "websocket", database);
        Assert.Equal(200, (await OpenAsync(relay, plane, "/inbound/user/u/hook", "{}")).Status);
        await server.DisposeAsync();
        var stored = await SendAsync(
            relay,
            plane,
            "/inbound/user/u/hook",
            "{\"away\":1}",
            GitHub("{\"away\":1}"),
            ("Prefer", "respond-async")
        );
        Assert.Equal(202, stored.Status);
        await using var back = await TestServer.StartAsync(
            Backend.Postgres,
            o => o.Relay.DangerousPlainHttp = true,
            database
        );
        Answer receipt = null!;
        await WaitFor.TrueAsync(async () =>
            (receipt = await relay.SendAsync(HttpMethod.Get, stored.Header("Location")!)).String("status") == "answered"
        );
        Assert.Equal(200, receipt.Json.GetProperty("answer").GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task Keys_are_made_anew_while_it_serves_and_who_is_revoked_knows_it()
    {
        await using var relay = await RelayNode.StartAsync();
        var (server, plane) = await StartAsync(relay, Backend.Sqlite, "websocket");
        await using var _ = server;
        Assert.Equal(200, (await OpenAsync(relay, plane, "/inbound/user/u/hook", "{\"a\":1}")).Status);
        await server.App.Services.GetRequiredService<PlaneEnrolment>().RotateAsync(plane, default);
        var rotated = Assert.Single(await server.App.Services.GetRequiredService<PlaneStore>().ListAsync());
        Assert.NotEqual(plane.Sign.Public.Text, rotated.Sign.Public.Text);
        await WaitFor.TrueAsync(async () =>
            (await SendAsync(relay, plane, "/inbound/user/u/hook", "{\"b\":1}", GitHub("{\"b\":1}"))).Status == 200
        );
        Assert.Equal(204, (await relay.AdminAsync(HttpMethod.Delete, "/relay/v1/planes/" + plane.Plane)).Status);
        Assert.Equal(404, (await SendAsync(relay, plane, "/inbound/user/u/hook", "{}", GitHub("{}"))).Status);
        await WaitFor.TrueAsync(async () =>
            (await server.GetAsync("/api/v1/relay")).Json.GetProperty("data")[0].GetProperty("standing").GetString()
            == "revoked"
        );
        Assert.Equal(200, (await server.GetAsync("/readyz")).Status);
    }

    [Fact]
    public async Task A_plane_that_leaves_has_no_url_any_more()
    {
        await using var relay = await RelayNode.StartAsync();
        var (server, plane) = await StartAsync(relay, Backend.Sqlite, "auto");
        await using var _ = server;
        Assert.Equal(200, (await OpenAsync(relay, plane, "/inbound/user/u/hook", "{}")).Status);
        var enrolment = server.App.Services.GetRequiredService<PlaneEnrolment>();
        Assert.Null(await enrolment.LeaveAsync(plane, default));
        Assert.Equal(404, (await SendAsync(relay, plane, "/inbound/user/u/hook", "{}", GitHub("{}"))).Status);
        Assert.Equal(0, (await server.GetAsync("/api/v1/relay")).Json.GetProperty("data").GetArrayLength());
    }
}
