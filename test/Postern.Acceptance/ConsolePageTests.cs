using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The pages of the console in a real browser, on a server that holds something of everything. With
/// <c>UPDATE_SCREENSHOTS=1</c> it writes the pictures of <c>docs/</c>.
/// </summary>
public sealed class ConsolePageTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private ConsoleBrowser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _browser = await ConsoleBrowser.StartAsync(_server);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Every_page_is_clean_in_every_form()
    {
        await _browser.CheckAsync(("/runs", null), ("/sessions", null));
        await _server.StartSessionAsync("hello");
        await _server.SayAsync("hello", "Hello, door. See https://example.com/a?b=c.");
        var asking = await Asking.PrepareAsync(_server);
        var (waiting, _, _) = await asking.WaitingAsync(new { title = "Drop the table orders_2019?" });
        var (failed, _, _) = await asking.RunningAsync();
        await _server.PostAsync(
            $"/api/v1/runs/{failed}/status",
            new { status = "failed", failure = new { code = "model_error", message = "The model is loading now." } }
        );
        await _server.PostAsync("/api/v1/runs", new { agent = "p", input = new { order = 17 } });
        await WaitFor.TrueAsync(async () =>
            (await _server.GetAsync("/api/v1/sessions/hello/transcript")).Json.GetProperty("messages").GetArrayLength()
            == 2
        );
        var session = (await _server.GetAsync("/api/v1/sessions/hello")).String("id");
        await _browser.CheckAsync(
            ("", "overview"),
            ("/runs", "runs"),
            ("/runs?phase=failed", null),
            ("/runs?agent=nobody", null),
            ($"/runs/{waiting}", "run"),
            ($"/runs/{failed}", "run-failed"),
            ($"/runs/{waiting}/cancel", "cancel"),
            ("/sessions", "sessions"),
            ($"/sessions/{session}", "transcript"),
            ($"/sessions/{session}?tab=records", null),
            ($"/sessions/{session}?tab=runs", null),
            ($"/sessions/{session}?tab=facts", "facts"),
            ($"/sessions/{session}/close", null)
        );
    }
}
