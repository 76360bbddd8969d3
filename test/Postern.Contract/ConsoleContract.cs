using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Sessions of the console on both databases, and on two nodes: what ends on one has ended on the other within a
/// second, and what a page reads is read on both.
/// </summary>
public sealed class ConsoleContract
{
    private static Task<Answer> OpenAsync(TestServer server, ConsoleCookie cookie) =>
        server.SendAsync(HttpMethod.Get, "/console/runs", null, null, cookie.Headers);

    private static Task EndsAsync(TestServer server, ConsoleCookie cookie) =>
        WaitFor.TrueAsync(async () => (await OpenAsync(server, cookie)).Status == 401, TimeSpan.FromSeconds(2));

    [Fact]
    public async Task A_session_of_one_node_is_good_on_another_and_ends_on_both()
    {
        var connection = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var other = await TestServer.StartAsync(Backend.Postgres, postgres: connection);

        var (_, signedOut) = await ConsoleCookie.OfAsync(one, "read:runs");
        Assert.Equal(
            (200, 200),
            ((await OpenAsync(one, signedOut)).Status, (await OpenAsync(other, signedOut)).Status)
        );
        await signedOut.PostAsync(one, "/console/sign-out");
        Assert.Equal(401, (await OpenAsync(one, signedOut)).Status);
        await EndsAsync(other, signedOut);

        var (key, revoked) = await ConsoleCookie.OfAsync(one, "read:runs");
        Assert.Equal(200, (await OpenAsync(other, revoked)).Status);
        await one.App.Services.GetRequiredService<KeyAdmin>().RevokeAsync(key, "test");
        Assert.Equal(401, (await OpenAsync(one, revoked)).Status);
        await EndsAsync(other, revoked);
    }

    /// <summary>Each page by whoever may see all of it: what it reads is read on both databases.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Every_page_opens_with_and_without_a_scope_for_everything(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var session = (await server.StartSessionAsync("hello-there")).String("id");
        await server.SayAsync("hello-there", "Hello.");
        var run = (await server.GetAsync("/api/v1/runs")).Json.GetProperty("data")[0].GetProperty("id").GetString();
        var trigger = new { agent = "echo", promptTemplate = "{{body}}" };
        Assert.Equal(201, (await server.PostAsync("/api/triggers/user/ada/hello", trigger)).Status);
        var taken = await server.SendAsync(HttpMethod.Post, "/inbound/user/ada/hello", null, "{}");
        var capture = taken.Json.GetProperty("data").GetProperty("requestId").GetString();
        string[] everything =
        [
            "read:sessions",
            "read:runs",
            "read:approvals",
            "read:deliveries",
            "read:triggers",
            "read:tasks",
        ];
        foreach (
            var scopes in (string[][])
                [
                    ["admin"],
                    everything,
                ]
        )
        {
            var (_, cookie) = await ConsoleCookie.OfAsync(server, scopes);
            foreach (
                var path in (string[])
                    [
                        "",
                        "?chart=latency",
                        "?chart=deliveries&span=48h",
                        "?chart=captures&span=90d",
                        "/runs",
                        "/runs?failure=broken&phase=failed&agent=echo",
                        "/runs?stuck=true",
                        "/runs/" + run,
                        "/sessions",
                        "/sessions?status=ACTIVE",
                        "/approvals",
                        "/approvals?status=all&agent=echo",
                        "/deliveries",
                        "/deliveries?status=dead&endpoint=orders&purpose=event",
                        "/sessions/" + session,
                        $"/sessions/{session}?tab=records",
                        $"/sessions/{session}?tab=runs",
                        $"/sessions/{session}?tab=facts",
                        "/triggers",
                        "/triggers/user/ada/hello",
                        "/triggers/user/ada/hello?status=failed",
                        "/captures/" + capture,
                        "/playground",
                        "/endpoints",
                        "/agents",
                        "/agents/echo",
                        "/workflows",
                        "/workflows/agent",
                        "/find?q=hello-th",
                        "/find?q=run_01",
                    ]
            )
            {
                var page = await server.SendAsync(HttpMethod.Get, "/console" + path, null, null, cookie.Headers);
                Assert.True(page.Status == 200, $"{path}: {page.Status}\n{server.Log.Text}");
            }
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task A_form_has_one_effect_and_a_link_opens_one_session_however_many_come_at_once(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/p", server.RootKey, new { kind = "pull" });
        var run = (await server.PostAsync("/api/v1/runs", new { agent = "p" })).String("id");
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "read:runs", "write:runs");
        await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(_ => cookie.PostAsync(server, $"/console/runs/{run}/cancel", "reason=late", "0123456789abcdef"))
        );
        var events = (await server.GetAsync($"/api/v1/runs/{run}/events")).Json.GetProperty("data");
        Assert.Single(
            events.EnumerateArray(),
            e => e.TryGetProperty("to", out var to) && to.GetString() == "cancelled"
        );

        var sessions = server.App.Services.GetRequiredService<ConsoleSessions>();
        var (id, _) = await server.NamedKeyAsync("linked", "read:runs");
        var once = await sessions.LinkAsync(await server.ProjectAsync(), id, TimeSpan.FromMinutes(1));
        var used = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => sessions.UseLinkAsync(once)));
        Assert.Single(used, link => link is not null);
    }
}
