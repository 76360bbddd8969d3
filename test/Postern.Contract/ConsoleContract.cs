using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Contract;

/// <summary>
/// Sessions of the console on both databases and on two nodes: an end on one node is visible on the other within a
/// second, and every page can be read on both.
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

    /// <summary>Each page, for a person who may see all of it, on both databases.</summary>
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
                        "/runs?text=100%25_!'&reason=late",
                        "/runs?from=2026-01-01&to=2100-01-01T00:00:00Z&olderThan=2h&trigger=user/u/t",
                        "/deliveries?answer=503&created=2026-01-01..",
                        "/runs/" + run,
                        "/sessions",
                        "/sessions?status=ACTIVE",
                        "/approvals",
                        "/approvals?status=all&agent=echo",
                        "/approvals?aside=shown",
                        "/deliveries",
                        "/deliveries?status=dead&endpoint=orders&purpose=event",
                        "/sessions/" + session,
                        $"/sessions/{session}?tab=records",
                        $"/sessions/{session}?beside=records",
                        $"/sessions/{session}?tab=runs",
                        $"/sessions/{session}?tab=facts",
                        "/triggers",
                        "/triggers/user/ada/hello",
                        "/triggers/user/ada/hello?status=failed",
                        "/triggers/user/ada/hello?text=issue.number=17",
                        "/captures/" + capture,
                        "/playground",
                        "/endpoints",
                        "/agents",
                        "/agents/echo",
                        "/workflows",
                        "/workflows/agent",
                        "/find?q=hello-th",
                        "/find?q=run_01",
                        "/settings",
                        "/sessions?older=1s&text=HELLO",
                        "/sessions?text=100%25_!'",
                        "/sessions/" + session + "?text=hello",
                        "/approvals?older=2h&text=drop",
                        "/deliveries?older=7d&text=refused",
                    ]
            )
            {
                var page = await server.SendAsync(HttpMethod.Get, "/console" + path, null, null, cookie.Headers);
                Assert.True(page.Status == 200, $"{path}: {page.Status}\n{server.Log.Text}");
            }
        }
    }

    /// <summary>The confirmations of bulk actions, the jobs, and one of them.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Every_page_of_many_at_once_opens_for_who_may_do_it(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.FullTriggerAsync("t", 2);
        var job = await server.StartBulkAsync("captures.replay", new { trigger = "user/u/t" });
        var (_, may) = await ConsoleCookie.OfAsync(server, "write:all", "admin:sessions", "read:runs");
        var (_, other) = await ConsoleCookie.OfAsync(server, "read:all");
        foreach (
            var path in (string[])
                [
                    "/bulk",
                    "/bulk/" + job,
                    "/bulk/ask?action=runs.cancel&phase=queued,running&created=2026-01-01..&olderThan=1s",
                    "/bulk/ask?action=runs.retry&failureCode=broken",
                    "/bulk/ask?action=sessions.close&status=ACTIVE",
                    "/bulk/ask?action=captures.replay&trigger=user/u/t&status=failed&reason=timed_out",
                    "/bulk/ask?action=deliveries.retry&status=dead&answer=503&endpoint=orders",
                    "/bulk/ask?action=deliveries.cancel&status=pending",
                    "/bulk/pause?trigger=user/u/t",
                ]
        )
        {
            var page = await server.SendAsync(HttpMethod.Get, "/console" + path, null, null, may.Headers);
            Assert.True(page.Status == 200, $"{path}: {page.Status}\n{page.Text}\n{server.Log.Text}");
            var refused = await server.SendAsync(HttpMethod.Get, "/console" + path, null, null, other.Headers);
            Assert.True(refused.Status is 403 or 404, $"{path}: {refused.Status}");
        }
        foreach (
            var path in (string[])
                [
                    "/bulk/ask",
                    "/bulk/ask?action=runs.pause",
                    "/bulk/ask?action=runs.cancel&phase=nosuch",
                    "/bulk/ask?action=runs.cancel&color=red",
                    "/bulk/ask?action=captures.replay",
                    "/bulk/ask?action=runs.cancel&olderThan=soon",
                    "/bulk?size=many",
                    "/runs?from=yesterday",
                    "/runs?created=2026-01-01..&from=2026-01-01",
                ]
        )
        {
            var bad = await server.SendAsync(HttpMethod.Get, "/console" + path, null, null, may.Headers);
            Assert.True(bad.Status == 400, $"{path}: {bad.Status}");
        }
        foreach (
            var fields in (string[])
                [
                    "action=runs.cancel&filter={}&mark=x",
                    "action=runs.cancel&filter=[]&mark=x",
                    "action=runs.cancel&filter={&mark=x",
                    "action=nosuch&filter={}&mark=x",
                    "filter={}",
                ]
        )
        {
            var answer = await may.PostAsync(server, "/console/bulk", fields);
            Assert.True(answer.Status is 400 or 409, $"{fields}: {answer.Status}");
        }
        await may.PostAsync(server, $"/console/bulk/{job}/stop");
        Assert.Equal("stopped", (await server.BulkAsync(job)).GetProperty("status").GetString());
    }

    /// <summary>The pages for administrators, on both databases.</summary>
    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    public async Task Every_page_of_keys_doors_and_the_audit_opens(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var (id, key) = await server.NamedKeyAsync("used", "admin");
        await server.PostAsync("/api/v1/runs", new { agent = "echo", start = false }, key);
        await server.PostAsync("/api/triggers/user/ada/orders", new { agent = "echo", promptTemplate = "x" });
        await server.SendAsync(
            HttpMethod.Post,
            "/inbound/user/ada/orders",
            null,
            "{}",
            ("Idempotency-Key", "key-of-it")
        );
        var refused = (await server.GetAsync("/api/v1/runs", "wrong")).Header("X-Refusal-Id");
        var store = server.App.Services.GetRequiredService<KeyStore>();
        var project = await server.ProjectAsync();
        for (var i = 0; i < 120; i++)
            await store.MarkAddressesAsync([(project, id, "10.0.0." + i, server.Database.Now + i)]);
        Assert.Equal(100, (await store.AddressesAsync(project, id)).Count);
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "admin");
        foreach (
            var path in (string[])
                [
                    "/relay",
                    "/doors",
                    "/doors?key=" + id,
                    "/doors?scopes=read:runs&outcome=closed",
                    "/doors/refused",
                    $"/doors/refused?actor={id}&address=127.0.0.1&at=2020-01-01..",
                    "/audit",
                    "/audit?action=key.created&reason=none",
                    "/audit?trigger=user/ada/orders",
                    "/audit/" + refused,
                    "/keys",
                    "/keys?tab=secrets",
                    "/keys?tab=services",
                    "/keys?tab=sessions",
                    "/keys?tab=tokens",
                    "/keys/" + id,
                    $"/keys/{id}/rotate",
                    $"/keys/{id}/revoke",
                    "/tokens/revoke?subject=ada&before=now",
                ]
        )
        {
            var page = await server.SendAsync(HttpMethod.Get, "/console" + path, null, null, cookie.Headers);
            Assert.True(page.Status == 200, $"{path}: {page.Status}\n{server.Log.Text}");
        }
        foreach (var found in (string[])["orders", "user/ada/orders", "key-of-it", id, id[..20], refused!])
            Assert.Equal(303, (await server.ConsoleAsync(cookie, HttpMethod.Get, "/console/find?q=" + found)).Status);
    }

    /// <summary>A refusal on one node can be read on the other, by the id in its answer.</summary>
    [Fact]
    public async Task A_refusal_of_one_node_is_read_on_another()
    {
        var connection = PostgresServer.NewDatabase();
        await using var one = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        await using var other = await TestServer.StartAsync(Backend.Postgres, postgres: connection);
        var root = one.RootKey.Length > 0 ? one.RootKey : other.RootKey;
        var ids = new List<string>();
        foreach (var node in (TestServer[])[one, other, one, other])
            ids.Add((await node.GetAsync("/api/v1/runs", "pst_live_x")).Header("X-Refusal-Id")!);
        Assert.Equal(2, ids.Distinct().Count());
        foreach (var (node, id) in ids.SelectMany(id => new[] { (one, id), (other, id) }))
            await WaitFor.TrueAsync(
                async () =>
                    (await node.GetAsync("/api/v1/audit?id=" + id, root)).Json.GetProperty("data").GetArrayLength()
                    == 1,
                TimeSpan.FromSeconds(5)
            );
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
