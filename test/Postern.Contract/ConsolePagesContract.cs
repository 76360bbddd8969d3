using Microsoft.Extensions.DependencyInjection;
using Postern.Access;
using Postern.Support;

namespace Postern.Contract;

/// <summary>What the console's pages show, and how it is found, on both databases.</summary>
public sealed class ConsolePagesContract
{
    private static Task<Answer> PageAsync(TestServer server, ConsoleCookie cookie, string path) =>
        server.ConsoleAsync(cookie, HttpMethod.Get, "/console" + path);

    private static string[] RowsOf(Answer page) =>
        [.. page.Text.Split("<tr id=\"").Skip(1).Select(row => row.Split('"')[0])];

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task What_waits_is_listed_by_when_it_expires_and_the_oldest_is_named(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var asked = new List<string>();
        foreach (var hours in (int[])[30, 10, 20])
        {
            var (_, _, id) = await asking.WaitingAsync(
                new
                {
                    title = $"In {hours}?",
                    expires_in_hours = hours,
                    options = new[] { "By the front", "By the back" },
                }
            );
            asked.Add(id);
        }
        var (_, reader) = await ConsoleCookie.OfAsync(server, "read:approvals");
        string[] soonest = [asked[1], asked[2], asked[0]];
        Assert.Equal(soonest, RowsOf(await PageAsync(server, reader, "/approvals")));
        // A page ends where the next begins, in the same order.
        for (var more = 0; more < 9; more++)
            await asking.WaitingAsync(new { title = "Later?", expires_in_hours = 40 + more });
        var first = await PageAsync(server, reader, "/approvals?size=10");
        Assert.Equal(soonest, RowsOf(first)[..3]);
        var next = first.Text.Split("rel=\"next\"")[0].Split("href=\"")[^1].Split('"')[0];
        var second = await PageAsync(server, reader, System.Net.WebUtility.HtmlDecode(next)["/console".Length..]);
        Assert.Equal(2, RowsOf(second).Length);
        Assert.Empty(RowsOf(second).Intersect(RowsOf(first)));
        // The API keeps its own order: the oldest first.
        var api = await server.GetAsync("/api/v1/approvals?status=pending");
        Assert.Equal(asked[0], api.Json.GetProperty("data")[0].GetProperty("approval_request_id").GetString());
        // A reader who may not decide also sees the choices.
        var page = await PageAsync(server, reader, "/approvals/" + asked[0]);
        Assert.Contains("<li dir=\"auto\">By the back", page.Text, StringComparison.Ordinal);
        var overview = await PageAsync(server, reader, "");
        Assert.Contains("pending approvals, the oldest for ", overview.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_run_shows_who_asked_for_it_its_questions_and_every_event(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var (maker, key) = await server.NamedKeyAsync("maker", "write:runs");
        var (run, token, question) = await asking.WaitingAsync(new { title = "Drop orders_2019?" });
        await asking.DecideAsync(question, "approved");
        var made = (await server.PostAsync("/api/v1/runs", new { agent = "p", start = false }, key)).String("id");
        // More events than one page holds.
        for (var i = 0; i < 510; i++)
            await server.PostAsync(
                $"/api/v1/runs/{run}/status",
                new { status = "running", progress = i / 1000.0 },
                token
            );
        var (_, admin) = await ConsoleCookie.OfAsync(server, "admin");
        var (_, reader) = await ConsoleCookie.OfAsync(server, "read:runs");
        var list = await PageAsync(server, admin, "/runs?size=10");
        Assert.Contains($"/console/keys/{maker}", list.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(
            $"/console/keys/{maker}",
            (await PageAsync(server, reader, "/runs")).Text,
            StringComparison.Ordinal
        );
        Assert.Contains(maker, (await PageAsync(server, reader, "/runs/" + made)).Text, StringComparison.Ordinal);

        var page = await PageAsync(server, admin, "/runs/" + run);
        Assert.Contains("asks: Drop orders_2019?", page.Text, StringComparison.Ordinal);
        Assert.Contains($"/console/approvals/{question}", page.Text, StringComparison.Ordinal);
        Assert.Contains("claimed by a worker", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "Drop orders_2019?",
            (await PageAsync(server, reader, "/runs/" + run)).Text,
            StringComparison.Ordinal
        );
        // Every event is on exactly one page.
        var last = (await server.GetAsync($"/api/v1/runs/{run}")).Json;
        Assert.Equal("running", last.GetProperty("status").GetString());
        var seen = new List<string>();
        for (var path = "/runs/" + run; path is not null; )
        {
            var events = await PageAsync(server, admin, path);
            Assert.Equal(200, events.Status);
            var rows = events.Text.Split("id=\"events\"")[1].Split("</table>")[0].Split("<td class=\"num\">").Skip(1);
            seen.AddRange(rows.Select(row => row.Split('<')[0]));
            var further = events.Text.Split("rel=\"next\"")[0].Split("href=\"")[^1].Split('"')[0];
            path = events.Text.Contains("Next events", StringComparison.Ordinal)
                ? System.Net.WebUtility.HtmlDecode(further)["/console".Length..].Split('#')[0]
                : null;
        }
        Assert.True(seen.Count > 510, $"{seen.Count}");
        Assert.Equal(seen.Count, seen.Distinct().Count());
        Assert.Equal(400, (await PageAsync(server, admin, $"/runs/{run}?events=many")).Status);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Anything_is_found_by_the_beginning_of_its_id_by_who_may_read_it(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var receiver = await Receiver.StartAsync();
        var asking = await Asking.PrepareAsync(server);
        var (run, _, question) = await asking.WaitingAsync();
        receiver.Answers = _ => (404, "");
        var delivery = await DeadLetters.OneAsync(server, receiver.Url);
        await server.FullTriggerAsync("t", 1);
        var job = await server.StartBulkAsync("captures.replay", new { trigger = "user/u/t" });
        var taken = await server.GetAsync("/api/triggers/user/u/t/requests");
        var capture = taken.Json.GetProperty("data").GetProperty("requests")[0].GetProperty("requestId").GetString()!;
        var refusal = (await server.GetAsync("/api/v1/runs", "pst_live_mistyped")).Header("X-Refusal-Id")!;
        var (key, _) = await server.NamedKeyAsync("reader", "read:runs");
        var session = (await server.StartSessionAsync("hello-there")).Json;
        var (_, admin) = await ConsoleCookie.OfAsync(server, "admin");
        var (_, stranger) = await ConsoleCookie.OfAsync(server, "write:sessions:none");
        foreach (
            var (id, path) in ((string, string)[])
                [
                    (run, "/runs/"),
                    (question, "/approvals/"),
                    (delivery, "/deliveries/"),
                    (capture, "/captures/"),
                    (job, "/bulk/"),
                    (key, "/keys/"),
                    (refusal, "/audit/"),
                    (session.GetProperty("id").GetString()!, "/sessions/"),
                ]
        )
        {
            foreach (var text in (string[])[id, id[..^3]])
            {
                var found = await PageAsync(server, admin, "/find?q=" + text);
                var leads = found.Status == 303 ? found.Header("Location")! : found.Text;
                Assert.True(
                    leads.Contains("/console" + path + id, StringComparison.Ordinal),
                    $"{text}: {found.Status} {leads}"
                );
                var none = await PageAsync(server, stranger, "/find?q=" + text);
                Assert.True(none.Status == 200, $"{text}: {none.Status}");
                Assert.Contains("Nothing that you may see", none.Text, StringComparison.Ordinal);
            }
        }
        // What has no page of its own is shown where it stands.
        var secret = (await server.PostAsync("/api/v1/callback-secrets", null)).String("id");
        var sessions = server.App.Services.GetRequiredService<ConsoleSessions>();
        var console = (await sessions.ListAsync(await server.ProjectAsync(), null))[0].Id;
        foreach (var (id, tab) in ((string, string)[])[(secret, "secrets"), (console, "sessions")])
        {
            var found = await PageAsync(server, admin, "/find?q=" + id);
            Assert.Equal((303, "/console/keys?tab=" + tab), (found.Status, found.Header("Location")));
            Assert.Equal(200, (await PageAsync(server, stranger, "/find?q=" + id)).Status);
        }
        foreach (var name in (string[])["orders", "agent", "p", "hello-there"])
            Assert.True((await PageAsync(server, admin, "/find?q=" + name)).Status is 303 or 200, name);
        Assert.Equal(303, (await PageAsync(server, admin, "/find?q=agent")).Status);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task The_records_of_every_channel_are_a_click_away_and_what_is_no_channel_is_refused(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.StartSessionAsync("hello");
        await server.SayAsync("hello", "Hello, door.");
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "read:sessions");
        var id = (await server.GetAsync("/api/v1/sessions/hello")).String("id");
        var page = await PageAsync(server, cookie, $"/sessions/{id}?tab=records");
        Assert.Contains("tab=records&amp;channel=in\"", page.Text, StringComparison.Ordinal);
        // A form that contains its own question as it stands is a page.
        Assert.Equal(200, (await PageAsync(server, cookie, $"/sessions/{id}?tab=records&channel=in&at=0")).Status);
        foreach (
            var bad in (string[])
                ["channel=a%00b", "channel=in&channel=out", "colour=red", "at=-1", "text=%00", "text=%FF", "at=1&at=2"]
        )
            Assert.Equal(
                (bad, 400),
                (bad, (await PageAsync(server, cookie, $"/sessions/{id}?tab=records&{bad}")).Status)
            );
        // A form with bytes that are not text writes nothing either.
        var (_, writer) = await ConsoleCookie.OfAsync(server, "write:sessions");
        foreach (var field in (string[])["note=%FF", "note=a%00b", "note=%ED%A0%80"])
        {
            var path = $"/console/sessions/{id}/note";
            var sent = await server.ConsoleAsync(writer, HttpMethod.Post, path, writer.Form(field));
            Assert.Equal((field, 400), (field, sent.Status));
        }
        var transcript = await server.GetAsync($"/api/v1/sessions/{id}/transcript");
        Assert.DoesNotContain("\"system\"", transcript.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Each_list_is_headed_by_counts_that_narrow_it(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (404, "");
        await DeadLetters.OneAsync(server, receiver.Url);
        var asking = await Asking.PrepareAsync(server);
        await asking.WaitingAsync(new { title = "One?" });
        await asking.WaitingAsync(new { title = "Two?" });
        await server.StartSessionAsync("one");
        await server.StartSessionAsync("two");
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "read:all");
        foreach (
            var (path, said) in ((string, string)[])
                [
                    ("/sessions", "/console/sessions?agent=echo\">echo</a> 2"),
                    ("/sessions?text=tw", "/console/sessions?text=tw&amp;agent=echo\">echo</a> 1"),
                    ("/approvals", "/console/approvals?agent=p\">p</a> 2"),
                    ("/approvals?status=all", "/console/approvals?status=pending\">pending</a> 2"),
                    ("/deliveries?status=dead", "status=dead&amp;purpose=event\">event</a> "),
                    ("/deliveries?status=dead", "status=dead&amp;endpoint=orders\">orders</a> "),
                ]
        )
        {
            var page = await PageAsync(server, cookie, path);
            Assert.True(page.Text.Contains(said, StringComparison.Ordinal), $"{path}: {said}\n{page.Text}");
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Each_tile_of_the_overview_leads_to_the_list_that_it_counts(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        foreach (var (id, enabled) in ((string, bool)[])[("on", true), ("off", false)])
            await server.SendAsync(
                HttpMethod.Put,
                "/api/v1/webhook-endpoints/" + id,
                server.RootKey,
                new
                {
                    url = "http://127.0.0.1:9/",
                    events = new[] { "run.*" },
                    enabled,
                }
            );
        var open = new { agent = "echo", promptTemplate = "x" };
        Assert.Equal(201, (await server.PostAsync("/api/triggers/user/u/open", open)).Status);
        Assert.Equal(201, (await server.PostAsync("/api/triggers/user/u/paused", open)).Status);
        await server.SendAsync(HttpMethod.Put, "/api/triggers/user/u/paused", server.RootKey, new { isActive = false });
        var nightly = new
        {
            agent = "echo",
            promptTemplate = "x",
            activationMode = "scheduled",
            cronExpression = "0 0 1 1 *",
        };
        Assert.Equal(201, (await server.PostAsync("/api/triggers/user/u/nightly", nightly)).Status);
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "read:all");
        var overview = await PageAsync(server, cookie, "");
        Assert.Contains("<span>Disabled endpoints</span><b>1</b>", overview.Text, StringComparison.Ordinal);
        // Nobody can call a schedule or a paused trigger.
        Assert.Contains("<span>Open triggers</span><b>1</b>", overview.Text, StringComparison.Ordinal);
        Assert.Contains("/console/endpoints?state=disabled", overview.Text, StringComparison.Ordinal);
        Assert.Contains("/console/triggers?opened=anybody", overview.Text, StringComparison.Ordinal);
        var endpoints = (await PageAsync(server, cookie, "/endpoints?state=disabled")).Text;
        Assert.Contains("/console/endpoints/off", endpoints, StringComparison.Ordinal);
        Assert.DoesNotContain("/console/endpoints/on\"", endpoints, StringComparison.Ordinal);
        var triggers = (await PageAsync(server, cookie, "/triggers?opened=anybody")).Text;
        Assert.Contains("user/u/open", triggers, StringComparison.Ordinal);
        Assert.DoesNotContain("user/u/paused", triggers, StringComparison.Ordinal);
        Assert.DoesNotContain("user/u/nightly", triggers, StringComparison.Ordinal);
        foreach (var bad in (string[])["/endpoints?state=broken", "/triggers?opened=me"])
            Assert.Equal(400, (await PageAsync(server, cookie, bad)).Status);
    }
}
