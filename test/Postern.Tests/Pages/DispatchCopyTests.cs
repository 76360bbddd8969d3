using System.Text;
using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>What an agent was sent is kept and shown without its tokens, and never grows large.</summary>
public sealed class DispatchCopyTests : IAsyncLifetime
{
    private static readonly string[] Scopes = ["read:deliveries", "read:runs", "read:sessions", "read:triggers"];
    private TestServer _server = null!;
    private Receiver _agent = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _agent = await Receiver.StartAsync();
        var kind = new { kind = "http", url = _agent.Url };
        Assert.Equal(201, (await _server.SendAsync(HttpMethod.Put, "/api/v1/agents/w", _server.RootKey, kind)).Status);
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _agent.DisposeAsync();
    }

    /// <summary>The id of the dispatch that was sent and its answer recorded.</summary>
    private async Task<string> SentAsync(string run)
    {
        var id = "";
        await WaitFor.TrueAsync(async () =>
        {
            var path = "/api/v1/deliveries?purpose=dispatch&subject=" + run;
            var found = (await _server.GetAsync(path)).Json.GetProperty("data");
            id = found.GetArrayLength() == 1 ? found[0].GetProperty("id").GetString() : "";
            return id!.Length > 0 && found[0].GetProperty("attemptCount").GetInt32() == 1;
        });
        return id;
    }

    private async Task<string> PageAsync(string delivery, params string[] scopes)
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, scopes);
        var page = await _server.ConsoleAsync(cookie, HttpMethod.Get, "/console/deliveries/" + delivery);
        Assert.Equal(200, page.Status);
        return System.Net.WebUtility.HtmlDecode(page.Text);
    }

    [Theory]
    [InlineData(202)]
    [InlineData(401)]
    [InlineData(503)]
    public async Task Whatever_the_answer_the_body_is_shown_as_sent_without_its_tokens(int answer)
    {
        _agent.Answers = _ => (answer, "");
        var input = new { order = 17, note = "it's <b>\"new\"</b>" };
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "w", input })).String("id");
        var (_, sent, text) = await _agent.NextAsync();
        var id = await SentAsync(run);
        var data = sent.GetProperty("data");
        string[] secrets =
        [
            data.GetProperty("token").GetString()!,
            data.GetProperty("callback").GetProperty("headers").GetProperty("X-Callback-Token").GetString()!,
        ];
        var expected = secrets.Aggregate(text, (all, s) => all.Replace(s, "[REDACTED]", StringComparison.Ordinal));
        var page = await PageAsync(id, Scopes);
        Assert.Contains("\"order\": 17", page, StringComparison.Ordinal);
        Assert.Contains("\"token\": \"[REDACTED]\"", page, StringComparison.Ordinal);
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, page, StringComparison.Ordinal));
        var row = await _server.Database.ReadAsync(tx =>
            tx.FirstAsync("SELECT body FROM delivery WHERE id = $1", r => (byte[])r.GetValue(0), id)
        );
        Assert.Equal(expected, Encoding.UTF8.GetString(row!));
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, expected, StringComparison.Ordinal));
        var kept = (await _server.GetAsync("/api/v1/deliveries/" + id)).Json.GetProperty("body");
        Assert.Equal(
            17,
            kept.GetProperty("data").GetProperty("run").GetProperty("input").GetProperty("order").GetInt32()
        );
    }

    [Fact]
    public async Task Each_part_of_it_is_for_those_who_may_read_that_part()
    {
        await _server.StartSessionAsync("s", agent: "w");
        await _server.SayAsync("s", "The word is swordfish.");
        var (_, sent, _) = await _agent.NextAsync();
        var id = await SentAsync(sent.GetProperty("data").GetProperty("run").GetProperty("id").GetString()!);
        Assert.Contains("swordfish", await PageAsync(id, Scopes), StringComparison.Ordinal);
        for (var without = 1; without < Scopes.Length; without++)
        {
            string[] some = [.. Scopes.Where((_, i) => i != without)];
            var page = await PageAsync(id, some);
            Assert.DoesNotContain("swordfish", page, StringComparison.Ordinal);
            Assert.Contains(
                "Its body is for those who may read runs, sessions and triggers.",
                page,
                StringComparison.Ordinal
            );
            var (_, key) = await _server.NamedKeyAsync("reader " + without, some);
            var answer = await _server.GetAsync("/api/v1/deliveries/" + id, key);
            Assert.Equal(200, answer.Status);
            Assert.False(answer.Json.TryGetProperty("body", out _));
        }
    }

    [Fact]
    public async Task A_long_one_says_how_much_was_sent_and_keeps_the_rest()
    {
        await _server.StartSessionAsync("s", agent: "w");
        await _server.SayAsync("s", new string('w', 40_000));
        var (_, sent, text) = await _agent.NextAsync();
        Assert.True(text.Length > 40_000);
        var run = sent.GetProperty("data").GetProperty("run");
        var id = await SentAsync(run.GetProperty("id").GetString()!);
        var kept = (await _server.GetAsync("/api/v1/deliveries/" + id)).Json.GetProperty("body");
        Assert.True(kept.GetRawText().Length < 4_000);
        var data = kept.GetProperty("data");
        Assert.Equal(run.GetProperty("id").GetString(), data.GetProperty("run").GetProperty("id").GetString());
        Assert.Matches(
            @"^\[left out: 40\d\d\d bytes\]$",
            data.GetProperty("session").GetProperty("messages").GetString()
        );
        Assert.Contains("[left out: 40", await PageAsync(id, Scopes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sent_again_it_is_made_anew_and_the_copy_is_never_sent()
    {
        _agent.Answers = _ => (503, "");
        var run = (await _server.PostAsync("/api/v1/runs", new { agent = "w" })).String("id");
        await _agent.NextAsync();
        var id = await SentAsync(run);
        // A sentence tells its instants as times, in the lists too.
        foreach (var path in (string[])["/runs", "/runs/" + run, "/deliveries/" + id])
        {
            var (_, cookie) = await ConsoleCookie.OfAsync(_server, Scopes);
            var page = await _server.ConsoleAsync(cookie, HttpMethod.Get, "/console" + path);
            Assert.Matches(
                "given up at <time datetime=\"[0-9T:.-]+Z\" title=\"[^\"]+\"[^>]*>[0-9: -]+</time>",
                page.Text
            );
        }
        _agent.Answers = _ => (202, "");
        Assert.Equal(200, (await _server.PostAsync($"/api/v1/deliveries/{id}/retry", new { })).Status);
        var (_, again, text) = await _agent.NextAsync(2);
        Assert.DoesNotContain("[REDACTED]", text, StringComparison.Ordinal);
        var token = again.GetProperty("data").GetProperty("token").GetString()!;
        Assert.Equal(200, (await _server.GetAsync("/api/v1/runs/" + run, token)).Status);
    }
}
