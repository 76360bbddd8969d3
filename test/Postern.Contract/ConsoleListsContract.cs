using Microsoft.Extensions.DependencyInjection;
using Postern.Approvals;
using Postern.Support;

namespace Postern.Contract;

/// <summary>What the console's lists contain and leave out, on both databases.</summary>
public sealed class ConsoleListsContract
{
    private const string Texts = "/console/runs?size=10";

    private static Task<Answer> PageAsync(TestServer server, ConsoleCookie cookie, string path) =>
        server.ConsoleAsync(cookie, HttpMethod.Get, path);

    private static Task<Answer> PostAsync(TestServer server, ConsoleCookie cookie, string path) =>
        server.ConsoleAsync(cookie, HttpMethod.Post, path, cookie.Form());

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Runs_are_found_by_words_of_their_reason_their_failure_and_their_tags(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        await server.SendAsync(HttpMethod.Put, "/api/v1/agents/idle", server.RootKey, new { kind = "pull" });
        async Task<string> MakeAsync(params string[] tags) =>
            (await server.PostAsync("/api/v1/runs", new { agent = "idle", tags })).String("id");
        var tagged = await MakeAsync("Blue_50%");
        var cancelled = await MakeAsync();
        await server.PostAsync($"/api/v1/runs/{cancelled}/cancel", new { reason = "The customer's order is void." });
        var failed = await MakeAsync();
        await server.PostAsync($"/api/v1/runs/{failed}/status", new { status = "running" });
        var report = new { status = "failed", failure = new { code = "broken", message = "The door's hinge broke." } };
        Assert.Equal(200, (await server.PostAsync($"/api/v1/runs/{failed}/status", report)).Status);
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "read:runs", "write:runs");
        string[] all = [tagged, cancelled, failed];
        foreach (
            var (query, found) in ((string, string[])[])
                [
                    ("", all),
                    ("&text=blue_50%25", [tagged]),
                    ("&text=blue-50", []),
                    ("&text=HINGE", [failed]),
                    ("&text=order%20is%20void", [cancelled]),
                    ("&reason=order%20is", [cancelled]),
                    ("&reason=hinge", [failed]),
                    ("&reason=blue", []),
                    ("&text=' OR 1=1 --", []),
                    ("&text=hinge&phase=failed&agent=idle", [failed]),
                ]
        )
        {
            var page = await PageAsync(server, cookie, Texts + query);
            Assert.Equal(200, page.Status);
            foreach (var run in all)
                Assert.True(
                    found.Contains(run) == page.Text.Contains($"<tr id=\"{run}\"", StringComparison.Ordinal),
                    $"{query}: {run}"
                );
            // A bulk action does not have this filter, so it would affect more than the page shows.
            if (query.Length > 0)
                Assert.DoesNotContain("/bulk/ask?", page.Text.Split("<main")[1], StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task A_question_set_aside_is_out_of_ones_own_lists_for_an_hour_and_decides_nothing(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var asking = await Asking.PrepareAsync(server);
        var (run, _, question) = await asking.WaitingAsync(new { title = "Drop the table?" });
        var (_, _, other) = await asking.WaitingAsync(new { title = "Paint the door?" });
        var (key, mine) = await ConsoleCookie.OfAsync(server, "read:approvals");
        var (_, theirs) = await ConsoleCookie.OfAsync(server, "read:approvals");
        var path = "/console/approvals/" + question;
        var put = await PostAsync(server, mine, path + "/aside");
        Assert.Equal((303, "/console/approvals"), (put.Status, put.Header("Location")));
        await IsSeenAsync(mine, question, false);
        await IsSeenAsync(mine, other, true);
        await IsSeenAsync(theirs, question, true);
        var list = await PageAsync(server, mine, "/console/approvals");
        // The title and the menu count what waits for this person.
        Assert.Contains("<title>(1) Approvals", list.Text, StringComparison.Ordinal);
        Assert.Contains("You have set one aside.", list.Text, StringComparison.Ordinal);
        // What the list shows when nothing is chosen is what its filter shows.
        Assert.Matches("<select name=\"status\"><option value=\"\" selected[^>]*>\\s*pending\\s*<", list.Text);
        var shown = await PageAsync(server, mine, "/console/approvals?aside=shown");
        Assert.Contains($"<tr id=\"{question}\"", shown.Text, StringComparison.Ordinal);
        Assert.Equal(400, (await PageAsync(server, mine, "/console/approvals?aside=1")).Status);
        Assert.Contains("You set it aside", (await PageAsync(server, mine, path)).Text, StringComparison.Ordinal);
        Assert.Equal("pending", (await asking.StatusAsync(run)).GetProperty("status").GetString());
        // It comes back on request, and by itself after an hour.
        Assert.Equal(303, (await PostAsync(server, mine, path + "/back")).Status);
        await IsSeenAsync(mine, question, true);
        await PostAsync(server, mine, path + "/aside");
        await IsSeenAsync(mine, question, false);
        if (backend == Backend.Sqlite)
        {
            server.Clock.Advance(TimeSpan.FromMinutes(61));
            // His session has been idle for as long.
            mine = await ConsoleCookie.OfAsync(server, key);
            await IsSeenAsync(mine, question, true);
            await server.App.Services.GetRequiredService<ApprovalsAside>().SweepAsync(default);
            Assert.Equal("", await server.DumpAsync("approval_aside"));
        }
        // A person who may not read it has nothing to set aside.
        var (_, stranger) = await ConsoleCookie.OfAsync(server, "read:runs");
        Assert.Equal(404, (await PostAsync(server, stranger, path + "/aside")).Status);
        Assert.Equal(404, (await PostAsync(server, mine, "/console/approvals/apr_none/aside")).Status);

        async Task IsSeenAsync(ConsoleCookie who, string id, bool isSeen)
        {
            var page = await PageAsync(server, who, "/console/approvals");
            Assert.Equal(isSeen, page.Text.Contains($"<tr id=\"{id}\"", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(Backend.Sqlite)]
    [InlineData(Backend.Postgres)]
    internal async Task Captures_are_found_by_what_stands_in_their_requests(Backend backend)
    {
        await using var server = await TestServer.StartAsync(backend);
        var trigger = new
        {
            agent = "echo",
            promptTemplate = "{{body}}",
            maxInFlight = 1000,
        };
        Assert.Equal(201, (await server.PostAsync("/api/triggers/user/ada/issues", trigger)).Status);
        async Task<string> SendAsync(string body, params (string, string)[] headers)
        {
            var sent = await server.SendAsync(HttpMethod.Post, "/inbound/user/ada/issues?a=b", null, body, headers);
            return sent.Json.GetProperty("data").GetProperty("requestId").GetString()!;
        }
        var opened = await SendAsync("{\"action\":\"opened\",\"issue\":{\"number\":17,\"labels\":[\"Door\"]}}");
        var closed = await SendAsync("{\"action\":\"closed\",\"issue\":{\"number\":170,\"is\":true}}");
        var form = await SendAsync("name=Ada%20L", ("Content-Type", "application/x-www-form-urlencoded"));
        var other = await SendAsync("plain text", ("X-Customer", "acme-42"), ("Authorization", "Bearer hidden-key"));
        var (_, cookie) = await ConsoleCookie.OfAsync(server, "read:triggers");
        string[] all = [opened, closed, form, other];
        foreach (
            var (text, found) in ((string, string[])[])
                [
                    ("issue.number=17", [opened]),
                    ("issue.is=true", [closed]),
                    ("issue.labels[0]=Door", [opened]),
                    ("issue.labels=Door", []),
                    ("action=opened", [opened]),
                    ("door", [opened]),
                    ("number\":17", [opened, closed]),
                    ("name=Ada L", [form]),
                    ("ACME-42", [other]),
                    ("x-customer", [other]),
                    // Nobody can find out a redacted value by searching.
                    ("hidden-key", []),
                    ("nothing of all", []),
                    ("=", [opened, closed, form, other]),
                    ("[[[=1", []),
                ]
        )
        {
            var path = "/console/triggers/user/ada/issues?size=10&text=" + Uri.EscapeDataString(text);
            var page = await PageAsync(server, cookie, path);
            Assert.Equal(200, page.Status);
            foreach (var capture in all)
                Assert.True(
                    found.Contains(capture) == page.Text.Contains($"<tr id=\"c-{capture}\"", StringComparison.Ordinal),
                    $"{text}: {capture}"
                );
            Assert.Contains("of the 4 searched", page.Text, StringComparison.Ordinal);
        }
        // A full page says where it continues, and the next one has the rest.
        for (var i = 0; i < 12; i++)
            await SendAsync($"{{\"many\":{i}}}");
        var first = await PageAsync(server, cookie, "/console/triggers/user/ada/issues?size=10&text=many");
        Assert.Equal(10, first.Text.Split("<tr id=\"c-").Length - 1);
        var next = first.Text.Split("rel=\"next\"")[0].Split("href=\"")[^1].Split('"')[0];
        var second = await PageAsync(server, cookie, System.Net.WebUtility.HtmlDecode(next));
        Assert.Equal(2, second.Text.Split("<tr id=\"c-").Length - 1);
    }
}
