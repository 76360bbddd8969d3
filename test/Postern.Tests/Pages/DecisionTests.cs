using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The playground's decision: a real question, and an approval service's answer in every form.</summary>
public sealed class DecisionTests : IAsyncLifetime
{
    private const string Secret = "a secret of the approval service";
    private const string Page = "/console/playground/decision";
    private static readonly string Standard = "whsec_" + Convert.ToBase64String(new byte[32]);
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        await PutServiceAsync("desk");
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task PutServiceAsync(string name, object? more = null)
    {
        var body = more ?? new { secrets = new[] { Secret, Standard } };
        var put = await _server.SendAsync(HttpMethod.Put, "/api/v1/approval-services/" + name, _server.RootKey, body);
        Assert.True(put.Status is 200 or 201, put.ToString());
    }

    private async Task<ConsoleCookie> CookieAsync(params string[] scopes) =>
        (await ConsoleCookie.OfAsync(_server, scopes)).Cookie;

    private Task<Answer> PostAsync(ConsoleCookie cookie, string path, string fields, string? once = null) =>
        _server.ConsoleAsync(cookie, HttpMethod.Post, Page + path, cookie.Form(fields, once));

    /// <summary>Asks a question, and returns its id, which is in the form's redirect.</summary>
    private async Task<string> AskAsync(ConsoleCookie cookie, string more = "&expires=days", string service = "desk")
    {
        var asked = await PostAsync(cookie, "/ask", $"agent=echo&title=Open%20it%3F&service={service}{more}");
        Assert.True(asked.Status == 303, asked.ToString());
        Assert.StartsWith(Page + "?approval=apr_", asked.Header("Location"), StringComparison.Ordinal);
        return asked.Header("Location")!.Split("approval=")[1];
    }

    private Task<Answer> SendAsync(
        ConsoleCookie cookie,
        string id,
        string form,
        string way,
        string word = "approved"
    ) => PostAsync(cookie, "/send", $"approval={id}&decision={word}&form={form}&way={way}&feedback=go%20ahead");

    private static void Sent(Answer answer, string statuses)
    {
        Assert.True(answer.Status == 303, answer.ToString());
        Assert.EndsWith("&sent=" + statuses, answer.Header("Location"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("timed", true)]
    [InlineData("sha256", false)]
    [InlineData("raw", false)]
    [InlineData("standard", true)]
    public async Task Each_form_is_taken_when_it_is_right_and_refused_when_it_is_wrong_or_old(string form, bool isTimed)
    {
        var cookie = await CookieAsync("admin");
        var id = await AskAsync(cookie);
        Sent(await SendAsync(cookie, id, form, "wrong"), "401");
        var old = await SendAsync(cookie, id, form, "old");
        if (isTimed)
            Sent(old, "401");
        else
            Assert.Equal(409, old.Status);
        var waiting = await _server.ConsoleAsync(cookie, HttpMethod.Get, $"{Page}?approval={id}");
        Assert.Contains("&quot;status&quot;: &quot;pending&quot;", waiting.Text, StringComparison.Ordinal);
        var taken = await SendAsync(cookie, id, form, "twice");
        Sent(taken, "200,200");
        var page = await _server.ConsoleAsync(cookie, HttpMethod.Get, taken.Header("Location")!);
        // The answer for a waiting worker, and the request to an agent that is called.
        foreach (var told in (string[])["&quot;approved&quot;", "go ahead", "approval.decided", "A repeat"])
            Assert.Contains(told, page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, page.Text, StringComparison.Ordinal);
        Sent(await SendAsync(cookie, id, form, "right", "rejected"), "409");
        var question = (await _server.GetAsync("/api/v1/approvals/" + id)).Json;
        Assert.Equal("approved", question.GetProperty("status").GetString());
        Assert.Equal("desk", question.GetProperty("decided_by").GetString());
    }

    [Fact]
    public async Task The_run_is_held_and_no_agent_hears_of_it()
    {
        await using var receiver = await Receiver.StartAsync();
        await _server.SendAsync(
            HttpMethod.Put,
            "/api/v1/agents/called",
            _server.RootKey,
            new { kind = "http", url = receiver.Url }
        );
        await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/pulls", _server.RootKey, new { kind = "pull" });
        var cookie = await CookieAsync("admin");
        foreach (var (agent, words) in ((string, string)[])[("called", "is one that is called"), ("none", "is none")])
        {
            var refused = await PostAsync(cookie, "/ask", $"agent={agent}&title=x&service=desk&expires=days");
            Assert.Equal(400, refused.Status);
            Assert.Contains(words, refused.Text, StringComparison.Ordinal);
        }
        var asked = await PostAsync(cookie, "/ask", "agent=pulls&title=x&service=desk&expires=days&reject=continue");
        var id = asked.Header("Location")!.Split("approval=")[1];
        Sent(await SendAsync(cookie, id, "timed", "right", "rejected"), "200");
        // It continues, but no worker gets it.
        var claimed = await _server.PostAsync("/api/v1/agents/pulls/claim", new { leaseSeconds = 10 });
        Assert.Equal(0, claimed.Json.GetProperty("data").GetArrayLength());
        Assert.Empty(receiver.Taken);
        var run = (await _server.GetAsync("/api/v1/approvals/" + id)).String("execution_id");
        Assert.Equal("running", (await _server.GetAsync("/api/v1/runs/" + run)).String("phase"));
    }

    [Fact]
    public async Task A_question_of_a_minute_expires_by_itself_and_says_so()
    {
        var cookie = await CookieAsync("admin");
        var id = await AskAsync(cookie, "&expires=minute");
        _server.Clock.Advance(TimeSpan.FromSeconds(61));
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/approvals/" + id)).String("status") == "expired"
        );
        Sent(await SendAsync(cookie, id, "timed", "right"), "410");
    }

    [Fact]
    public async Task A_signature_is_a_right_and_only_what_was_asked_here_is_signed_for()
    {
        var admin = await CookieAsync("admin");
        var asking = await Asking.PrepareAsync(_server);
        var (run, _, real) = await asking.WaitingAsync();
        // A question of a worker cannot be answered in the playground, with any right.
        Assert.Equal(404, (await SendAsync(admin, real, "timed", "right")).Status);
        Assert.Equal(404, (await _server.ConsoleAsync(admin, HttpMethod.Get, $"{Page}?approval={real}")).Status);
        Assert.Equal("waiting", (await asking.RunAsync(run)).GetProperty("phase").GetString());

        var (key, asker) = await ConsoleCookie.OfAsync(_server, "write:runs", "write:approvals", "read:approvals");
        var id = await AskAsync(asker);
        var refused = await SendAsync(asker, id, "timed", "right");
        Assert.Equal(403, refused.Status);
        Assert.Contains("admin", refused.Text, StringComparison.Ordinal);
        // The asker cannot answer, neither on the console's page nor with the key.
        var itself = await asker.PostAsync(_server, $"/console/approvals/{id}/decide", "decision=approved");
        Assert.Equal(403, itself.Status);
        Assert.Contains("Who asked", itself.Text, StringComparison.Ordinal);
        var stranger = await CookieAsync("write:runs");
        Assert.Equal(404, (await _server.ConsoleAsync(stranger, HttpMethod.Get, $"{Page}?approval={id}")).Status);
        Assert.Equal(403, (await PostAsync(await CookieAsync("read:runs"), "/ask", "agent=echo&title=x")).Status);
        var page = await _server.ConsoleAsync(asker, HttpMethod.Get, $"{Page}?approval={id}");
        Assert.Contains("A signature is a right", page.Text, StringComparison.Ordinal);
        Assert.Equal("pending", (await _server.GetAsync("/api/v1/approvals/" + id)).String("status"));
        Assert.Equal(key.Id, (await _server.GetAsync("/api/v1/approvals/" + id)).String("asked_by"));
        // Another person who may decide can.
        var other = await CookieAsync("write:approvals", "read:approvals");
        await other.PostAsync(_server, $"/console/approvals/{id}/decide", "decision=approved");
        Assert.Equal("approved", (await _server.GetAsync("/api/v1/approvals/" + id)).String("status"));
    }

    [Theory]
    [InlineData("agent=echo&title=x&service=nobody&expires=days", "names no approval service")]
    [InlineData("agent=echo&title=&service=desk&expires=never", "expires is minute or days")]
    [InlineData("agent=echo&title=x&service=desk&expires=days&reject=explode", "on_reject")]
    [InlineData("agent=echo&title=x&service=desk&expires=days&other=1", "other")]
    public async Task An_invalid_question_names_its_field_and_nothing_waits(string fields, string words)
    {
        var answer = await PostAsync(await CookieAsync("admin"), "/ask", fields);
        Assert.Equal(400, answer.Status);
        Assert.Contains(words, answer.Text, StringComparison.Ordinal);
        Assert.Equal(0, (await _server.GetAsync("/api/v1/approvals")).Json.GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task A_form_sent_twice_asks_once_and_sends_once_and_ten_a_minute_are_enough()
    {
        var cookie = await CookieAsync("admin");
        var fields = "agent=echo&title=x&service=desk&expires=days";
        var first = await PostAsync(cookie, "/ask", fields, "once-asked-here-1234");
        var again = await PostAsync(cookie, "/ask", fields, "once-asked-here-1234");
        Assert.Equal(first.Header("Location"), again.Header("Location"));
        Assert.Equal(1, (await _server.GetAsync("/api/v1/approvals")).Json.GetProperty("data").GetArrayLength());
        var id = first.Header("Location")!.Split("approval=")[1];
        for (var i = 0; i < 10; i++)
            Sent(await SendAsync(cookie, id, "timed", "wrong"), "401");
        Assert.Equal(429, (await SendAsync(cookie, id, "timed", "wrong")).Status);
        foreach (var bad in (string[])["decision=maybe", "form=none", "way=sideways"])
        {
            var good = new[] { "decision=approved", "form=timed", "way=right" };
            var name = bad.Split('=')[0];
            var sent = string.Join('&', good.Where(g => !g.StartsWith(name, StringComparison.Ordinal)).Append(bad));
            var answer = await PostAsync(cookie, "/send", $"approval={id}&{sent}");
            Assert.Equal(400, answer.Status);
            Assert.Contains(name, answer.Text, StringComparison.Ordinal);
        }
    }
}
