using Microsoft.Playwright;
using Postern.Support;

namespace Postern.Acceptance;

/// <summary>
/// The reference under <c>/docs</c> in a real browser: it works under its content security policy, and cannot be
/// framed.
/// </summary>
public sealed class ReferencePageTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions
            {
                ExecutablePath = "/usr/bin/chromium",
                Headless = true,
                Args = ["--no-sandbox"],
            }
        );
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task It_shows_every_door_and_breaks_its_policy_nowhere()
    {
        var page = await _browser.NewPageAsync();
        var complaints = new List<string>();
        page.Console += (_, message) => complaints.Add(message.Text);
        await page.GotoAsync(_server.Url + "/docs");
        var table = page.GetByLabel("Sidebar for Postern");
        await table.GetByText("Sessions", new() { Exact = true }).ClickAsync();
        await table.GetByText("List sessions, newest first").ClickAsync();
        await page.GetByText("From pagination.next").First.WaitForAsync();
        await page.GetByText("Test Request").First.ClickAsync();
        await page.GetByRole(AriaRole.Dialog).First.WaitForAsync();
        Assert.DoesNotContain(complaints, text => text.Contains("Content Security Policy", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_page_cannot_frame_it()
    {
        await using var other = await Receiver.StartAsync();
        other.Handle = http =>
        {
            http.Response.ContentType = "text/html";
            return http
                .Response.Body.WriteAsync(
                    System.Text.Encoding.UTF8.GetBytes($"<iframe src=\"{_server.Url}/docs/index.html\"></iframe>")
                )
                .AsTask();
        };
        var page = await _browser.NewPageAsync();
        var refused = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        page.Console += (_, message) =>
        {
            if (message.Text.Contains("frame", StringComparison.OrdinalIgnoreCase))
                refused.TrySetResult(message.Text);
        };
        await page.GotoAsync(other.Origin);
        Assert.Contains(
            "frame-ancestors",
            await refused.Task.WaitAsync(TimeSpan.FromSeconds(20)),
            StringComparison.Ordinal
        );
    }
}
