using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>The console: dead deliveries are found, shown with their answers, and sent again once.</summary>
public sealed class DeliveryPageTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private Receiver _receiver = null!;
    private string _dead = "";

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _receiver = await Receiver.StartAsync();
        _receiver.Answers = _ => (404, "<b>nobody</b> is here");
        _dead = await DeadLetters.OneAsync(_server, _receiver.Url);
    }

    public async ValueTask DisposeAsync()
    {
        await _receiver.DisposeAsync();
        await _server.DisposeAsync();
    }

    private string Path => "/console/deliveries/" + _dead;

    private async Task<ConsoleCookie> CookieAsync(params string[] scopes) =>
        (await ConsoleCookie.OfAsync(_server, scopes)).Cookie;

    [Fact]
    public async Task A_dead_letter_is_found_shown_with_its_answer_and_sent_again_once()
    {
        var cookie = await CookieAsync("read:deliveries", "write:deliveries");
        var list = (await _server.ConsoleAsync(cookie, HttpMethod.Get, "/console/deliveries?status=dead")).Text;
        Assert.Contains(_dead, list, StringComparison.Ordinal);
        var page = await _server.ConsoleAsync(cookie, HttpMethod.Get, Path);
        Assert.Contains("&lt;b&gt;nobody&lt;/b&gt; is here", page.Text, StringComparison.Ordinal);
        // The headers as sent, with the signature redacted.
        var sentHeaders = _receiver.Taken.First().Headers;
        foreach (var name in (string[])["webhook-id", "webhook-timestamp", "webhook-attempt", "User-Agent"])
            Assert.Contains($"<td class=\"long \">{sentHeaders[name]}</td>", page.Text, StringComparison.Ordinal);
        Assert.Contains("[REDACTED]", page.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(sentHeaders["webhook-signature"].ToString(), page.Text, StringComparison.Ordinal);
        // A body is for those who may read runs.
        Assert.Contains("Its body is for those who may read runs.", page.Text, StringComparison.Ordinal);

        _receiver.Answers = _ => (200, "");
        var form = ConsoleCalls.FormOf(page, "/retry", "");
        var sent = await _server.ConsoleAsync(cookie, HttpMethod.Post, Path + "/retry", form);
        Assert.Equal((303, Path), (sent.Status, sent.Header("Location")));
        Assert.Equal(303, (await _server.ConsoleAsync(cookie, HttpMethod.Post, Path + "/retry", form)).Status);
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/deliveries/" + _dead)).String("status") == "delivered"
        );
        Assert.Equal(2, _receiver.Taken.Count);
        await WaitFor.TrueAsync(async () =>
        {
            var rows = (await _server.GetAsync("/api/v1/audit?action=delivery.retried")).Json.GetProperty("data");
            return rows.GetArrayLength() > 0 && rows[0].GetProperty("credential").GetString() == "console";
        });
    }

    [Fact]
    public async Task A_reader_sees_no_button_and_can_send_nothing()
    {
        var reader = await CookieAsync("read:deliveries", "read:runs");
        var page = await _server.ConsoleAsync(reader, HttpMethod.Get, Path);
        Assert.DoesNotContain("/retry\"", page.Text, StringComparison.Ordinal);
        Assert.Contains("run.created", page.Text, StringComparison.Ordinal);
        var form = $"_csrf={Uri.EscapeDataString(ConsoleCalls.CsrfOf(page))}&_once=0123456789abcdef";
        Assert.Equal(403, (await _server.ConsoleAsync(reader, HttpMethod.Post, Path + "/retry", form)).Status);
        Assert.Equal("dead", (await _server.GetAsync("/api/v1/deliveries/" + _dead)).String("status"));

        var other = await CookieAsync("read:runs");
        Assert.Equal(403, (await _server.ConsoleAsync(other, HttpMethod.Get, Path)).Status);
        Assert.Equal(404, (await _server.ConsoleAsync(reader, HttpMethod.Get, "/console/deliveries/dlv_none")).Status);
    }

    [Theory]
    [InlineData("status=gone", "status")]
    [InlineData("purpose=event&purpose=notice", "purpose")]
    [InlineData("since=today", "since")]
    [InlineData("cursor=x", "cursor")]
    public async Task A_filter_that_cannot_be_read_is_named(string query, string named)
    {
        var cookie = await CookieAsync("read:deliveries");
        var page = await _server.ConsoleAsync(cookie, HttpMethod.Get, "/console/deliveries?" + query);
        Assert.Equal(400, page.Status);
        Assert.Contains(named, page.Text, StringComparison.Ordinal);
    }
}
