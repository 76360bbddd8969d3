using Postern.Support;

namespace Postern.Tests.Pages;

/// <summary>Filters of lists that the API does not have, and notes.</summary>
public sealed class ListPageTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private ConsoleCookie _cookie = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        (_, _cookie) = await ConsoleCookie.OfAsync(_server, "admin");
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task<string> PageAsync(string path, int status = 200)
    {
        var page = await _server.SendAsync(HttpMethod.Get, "/console" + path, null, null, _cookie.Headers);
        Assert.True(page.Status == status, $"{path}: {page.Status}\n{page.Text}");
        return page.Text;
    }

    [Theory]
    [InlineData("from=yesterday", "from is a day")]
    [InlineData("to=2026-02-30", "to is a day")]
    [InlineData("from=2026-01-01..2026-02-01", "from is a day")]
    [InlineData("created=yesterday", "created is from..to")]
    [InlineData("created=2026-01-01..&from=2026-01-01", "not with from, to")]
    public async Task A_period_that_cannot_be_read_is_named(string query, string named)
    {
        var (_, cookie) = await ConsoleCookie.OfAsync(_server, "read:runs");
        var page = await _server.ConsoleAsync(cookie, HttpMethod.Get, "/console/runs?" + query);
        Assert.Equal(400, page.Status);
        Assert.Contains(named, page.Text, StringComparison.Ordinal);
        Assert.Contains("aria-invalid=\"true\"", page.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sessions_are_found_by_a_text_as_it_is_written_and_by_their_age()
    {
        var plain = (await _server.StartSessionAsync("Order 100%_done")).String("id");
        var other = (await _server.StartSessionAsync("Order 1000 done")).String("id");
        foreach (
            var (query, found, left) in ((string, string, string)[])
                [
                    ("text=order%20100%25_d", plain, other),
                    ("text=ORDER%201000", other, plain),
                    ("text=100%25_done&status=ACTIVE", plain, other),
                ]
        )
        {
            var page = await PageAsync("/sessions?" + query);
            Assert.Contains($"id=\"{found}\"", page, StringComparison.Ordinal);
            Assert.DoesNotContain($"id=\"{left}\"", page, StringComparison.Ordinal);
            Assert.Contains("# without text, which the API has not", page, StringComparison.Ordinal);
        }
        Assert.DoesNotContain(plain, await PageAsync("/sessions?older=2h"), StringComparison.Ordinal);
        _server.Clock.Advance(TimeSpan.FromHours(3));
        (_, _cookie) = await ConsoleCookie.OfAsync(_server, "admin");
        Assert.Contains(plain, await PageAsync("/sessions?older=2h"), StringComparison.Ordinal);
        foreach (var list in (string[])["/sessions", "/approvals", "/deliveries"])
        foreach (var older in (string[])["2", "-2h", "2 weeks", "999999d", "h"])
            Assert.Contains(
                "older is a span",
                await PageAsync($"{list}?older={Uri.EscapeDataString(older)}", 400),
                StringComparison.Ordinal
            );
    }

    [Fact]
    public async Task Approvals_and_deliveries_are_found_by_a_text()
    {
        var asking = await Asking.PrepareAsync(_server);
        await asking.WaitingAsync(new { title = "Drop the table orders_2019?" });
        await using var receiver = await Receiver.StartAsync();
        receiver.Answers = _ => (404, "nobody is here");
        var dead = await DeadLetters.OneAsync(_server, receiver.Url);
        Assert.Contains("orders_2019", await PageAsync("/approvals?text=TABLE%20orders_"), StringComparison.Ordinal);
        Assert.Contains("Nothing matches", await PageAsync("/approvals?text=orders-2019"), StringComparison.Ordinal);
        Assert.Contains(dead, await PageAsync("/deliveries?text=404"), StringComparison.Ordinal);
        Assert.DoesNotContain(dead, await PageAsync("/deliveries?text=503"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_transcript_is_searched_and_takes_a_note_that_begins_no_turn()
    {
        var session = (await _server.StartSessionAsync("searched")).String("id");
        await _server.SayAsync("searched", "The parcel is <b>lost</b>.");
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync($"/api/v1/sessions/{session}/transcript"))
                .Json.GetProperty("messages")
                .GetArrayLength() == 2
        );
        var once = "0123456789abcdef";
        for (var i = 0; i < 2; i++)
            Assert.Equal(
                200,
                (await _cookie.PostAsync(_server, $"/console/sessions/{session}/note", "note=Refund+it.", once)).Status
            );
        var messages = (await _server.GetAsync($"/api/v1/sessions/{session}/transcript")).Json.GetProperty("messages");
        Assert.Equal(3, messages.GetArrayLength());
        Assert.Equal("system", messages[2].GetProperty("role").GetString());
        Assert.Contains("id=\"m3\"", await PageAsync($"/sessions/{session}?text=REFUND"), StringComparison.Ordinal);
        var found = await PageAsync($"/sessions/{session}?text=%3Cb%3Elost");
        Assert.Contains("id=\"m1\"", found, StringComparison.Ordinal);
        Assert.DoesNotContain("id=\"m3\"", found, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>lost", found, StringComparison.Ordinal);
        Assert.Contains(
            "No message of the 3",
            await PageAsync($"/sessions/{session}?text=found"),
            StringComparison.Ordinal
        );
        await PageAsync($"/sessions/{session}?text={new string('x', 257)}", 400);

        await _server.PostAsync($"/api/v1/sessions/{session}/close", new { });
        var closed = await _cookie.PostAsync(_server, $"/console/sessions/{session}/note", "note=Late.");
        Assert.Equal(409, closed.Status);
        var reader = await ConsoleCookie.OfAsync(_server, "read:sessions");
        var refused = await reader.Cookie.PostAsync(_server, $"/console/sessions/{session}/note", "note=Late.");
        Assert.Equal(403, refused.Status);
    }
}
